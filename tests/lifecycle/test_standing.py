"""What is paid for while a part of a colony was refused: by what the state has of it."""

import pytest

from colony.lifecycle.standing import standing
from components.placement import Placement
from components.tags import short_name

LONG = "a-cluster-of-thirty-characters"
TYPES = {
    "aws": "aws:eks/nodeGroup:NodeGroup",
    "azure": "azure-native:containerservice:AgentPool",
    "gcp": "gcp:container/nodePool:NodePool",
}


def pool(name, price, accelerator=None):
    bought = {"accelerator": accelerator, "accelerator_count": 1} if accelerator else {}
    return {"name": name, "instance_type": "m", "nodes": 2, "price_per_node_hour": price, **bought}


def placed(cloud, name="main"):
    pools = [pool("system", 0.1), pool("gpus", 2, "H100")]
    cluster = {"name": name, "cloud": cloud, "region": "r", "pools": pools}
    return Placement.model_validate({"clusters": [{**cluster, "control_plane_per_hour": 0.3}]})


def state(*found):
    return {"resources": [{"type": type_, "urn": f"urn:x::{name}"} for type_, name in found]}


def price(placement, deployment, *planes):
    return standing(placement, deployment, "demo", planes).price_per_hour


@pytest.mark.parametrize(("cloud", "alone"), [("aws", 0.3), ("gcp", 0.3), ("azure", 0.5)])
def test_a_pool_that_was_refused_is_not_paid_for(cloud, alone):
    """AKS has its system pool in itself; a placement group named like a pool is none."""
    placement, type_ = placed(cloud), TYPES[cloud]
    assert price(placement, state()) == 0
    near = ("azure-native:compute:ProximityPlacementGroup", "demo-main-gpus")
    assert price(placement, state(near), "main") == pytest.approx(alone)
    there = state((type_, "demo-main-system"), (type_, "demo-main-gpus"))
    assert price(placement, there, "main") == placement.price_per_hour == pytest.approx(4.5)


def test_a_pool_with_a_shortened_name_is_found():
    """As GKE's: the cluster's names begin with 28 characters, a pool's has 32."""
    name = short_name(short_name(f"demo-{LONG}", limit=28), "gpus", limit=32)
    assert name != f"demo-{LONG}-gpus"
    found = standing(placed("gcp", LONG), state((TYPES["gcp"], name)), "demo", [LONG])
    assert found.price_per_hour == pytest.approx(4.3)


def test_hosts_are_paid_for_whether_or_not_they_came_up():
    assert price(placed("onprem"), state()) == pytest.approx(4.5)

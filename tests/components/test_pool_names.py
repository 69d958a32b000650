"""Names of pools are shortened by each cloud's own limits, and known again when one is refused."""

import pytest
from recording import LEASE, record_program

from colony.lifecycle.refused import pool_at
from components.clusters.abilities import facts_of
from components.clusters.base import ClusterRequest, kind
from components.lease import Lease
from components.placement import ClusterPlacement, Placement
from components.tags import lease_tags

MACHINES = {
    "aws": ("m6i.large", "p5.48xlarge", "us-east-1"),
    "azure": ("Standard_D4s_v5", "Standard_NC24ads_A100_v4", "eastus"),
    "gcp": ("e2-standard-4", "g2-standard-4", "us-central1"),
}
STACK, NAME = "a-colony-with-a-name-of-40-characters-ok", "a-cluster-of-thirty-characters"


@pytest.mark.parametrize("cloud", MACHINES)
@pytest.mark.parametrize(("stack", "name"), [("demo", "main"), (STACK, NAME)])
def test_a_refused_pool_is_known_however_its_name_was_shortened(cloud, stack, name):
    """Or nothing else would be asked for."""
    system, gpu, region = MACHINES[cloud]
    sizes = {"nodes": 2, "cpus": 4, "memory_gib": 16, "price_per_node_hour": 1}
    pools = [
        {"name": "cpu", "instance_type": system, **sizes},
        {"name": "a-pool-of-twenty-nine-letters", "instance_type": gpu, "accelerator": "H100",
         "accelerator_count": 1, **sizes},
    ]  # fmt: skip
    cluster = ClusterPlacement(name=name, cloud=cloud, region=region, pools=pools)
    tags = lease_tags(Lease(**LEASE), cloud)
    asked = ClusterRequest(stack, cluster, tags=tags)
    made = record_program(lambda: kind(cloud)(f"{stack}-{name}", asked))
    placement, type_ = Placement(clusters=[cluster]), facts_of(cloud).pool
    urns = [f"urn:pulumi:s::p::{each.type}::{each.name}" for each in made.of(type_)]
    found = {pool_at(stack, placement, urn) for urn in urns}
    inline = {"cpu"} if facts_of(cloud).inline_system else set()
    assert found == {(name, pool["name"]) for pool in pools if pool["name"] not in inline}

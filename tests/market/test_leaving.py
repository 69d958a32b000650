"""Machines of one's own that refuse: their jobs go to another cluster of the colony, or nowhere."""

import pytest
from market_cases import row

from colony.market.catalog import Catalog
from colony.market.decision import Action, Policy, Refused
from colony.market.failover import Failover
from components.spec import ClusterSpec, ColonySpec
from jobs.spec import Job, Resources

CAPACITY = "InsufficientInstanceCapacity - We currently do not have sufficient capacity"
UNREACHABLE = "dial tcp 10.0.0.2:22: connect: no route to host"
IN_USE = "k3s is already here, and Colony did not install it"
HOSTS = [{"address": "10.0.0.1"}, {"address": "10.0.0.2", "accelerators": "A10G:1"}]
LAB = {"name": "lab", "cloud": "onprem", "hosts": HOSTS}
CLOUD = {"name": "cloud", "cloud": "aws"}


def job(name="train", **more):
    need = Resources(accelerators="A10G:1")
    return Job(name=name, nodes=1, run="true", resources=need, **more)


def catalog():
    gpus = {"accelerator": "A10G", "instance_type": "g5.xlarge"}
    system = {"accelerator": "", "gpus": 0.0, "instance_type": "m6i.large", "price": 0.1}
    regions = {"us-east-1": 1.0, "us-west-2": 2.0}
    rows = [row(region=region, price=price, **gpus) for region, price in regions.items()]
    return Catalog([*rows, *(row(region=region, **system) for region in regions)])


def failover(*clusters, jobs=None, **policy):
    given = [ClusterSpec(**each) for each in clusters or (LAB, CLOUD)]
    spec = ColonySpec(name="demo", jobs=jobs or [job()], clusters=given)
    return Failover(spec, catalog(), built={"aws", "onprem"}, policy=Policy(**policy))


@pytest.mark.parametrize("said", [UNREACHABLE, IN_USE])
def test_a_job_goes_to_the_cluster_that_can_take_it_and_the_hosts_are_left_out(said):
    market = failover()
    first = market.first()
    assert first.placement.jobs == {"train": "lab"}
    decision = market.decide(first, [Refused("lab", "", said)], 60)
    assert decision.action is Action.MOVE and decision.settled is not None
    placement = decision.settled.placement
    assert placement.jobs == {"train": "cloud"}
    assert [each.name for each in placement.clusters] == ["cloud"]
    assert [pool.instance_type for pool in placement.clusters[0].pools][1:] == ["g5.xlarge"]
    assert list(decision.moved) == ["lab", "cloud"], "one goes, one gets machines"
    assert placement.clusters[0].spans == ["us-east-1a", "us-east-1b"], "in the zones that it is in"
    assert [each.name for each in decision.settled.spec.clusters] == ["cloud"]


def test_what_is_refused_there_next_is_looked_for_without_the_hosts():
    market = failover()
    decision = market.decide(market.first(), [Refused("lab", "", UNREACHABLE)], 60)
    assert decision.settled is not None
    pool = decision.settled.placement.clusters[0].pools[1].name
    second = market.decide(decision.settled, [Refused("cloud", pool, CAPACITY)], 120)
    assert second.action is Action.MOVE and second.settled is not None
    assert [each.name for each in second.settled.placement.clusters] == ["cloud"]


def test_a_cluster_that_has_room_stays_as_it_is():
    pools = [{"name": "gpus", "accelerators": "A10G:1", "nodes": 1}]
    market = failover(LAB, {**CLOUD, "pools": pools}, jobs=[job()])
    first = market.first()
    known = {each.name: each for each in first.placement.clusters}
    decision = market.decide(first, [Refused("lab", "", UNREACHABLE)], 60)
    assert list(decision.moved) == ["lab"] and decision.settled is not None
    assert decision.settled.placement.clusters[0] is known["cloud"]


@pytest.mark.parametrize(
    ("market", "says"),
    [
        (failover(LAB), "the colony has no other cluster"),
        (
            failover(LAB, CLOUD, jobs=[job(cluster="lab")]),
            "job train names cluster lab",
        ),
        (
            failover(LAB, {**LAB, "name": "small", "hosts": ["10.0.0.9"]}),
            "its jobs fit no other cluster of the colony",
        ),
        (failover(leaves_hosts=False), "the file's own"),
    ],
)
def test_where_there_is_no_other_cluster_for_it_the_refusal_is_the_end(market, says):
    decision = market.decide(market.first(), [Refused("lab", "", UNREACHABLE)], 60)
    assert decision.action is Action.STOP
    assert "no route to host" in decision.reason and says in decision.reason


def test_a_connection_that_was_cut_is_tried_again():
    market = failover()
    cut = "read: connection reset by peer"
    decision = market.decide(market.first(), [Refused("lab", "", cut)], 60)
    assert (decision.action, decision.after) == (Action.AGAIN, 10)

"""The policy alone: no engine, no clock but a number."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_cases import row

from colony.market.catalog import Catalog
from colony.market.decision import Action, Policy, Refused
from colony.market.failover import Failover
from colony.market.failures import known
from colony.market.quotas import Quota
from colony.market.zones import cells_of
from components.clusters.aws.data import zones_of
from components.spec import ClusterSpec, ColonySpec
from jobs.errors import NoOffer
from jobs.spec import Job, Preference, Resources

CAPACITY = "InsufficientInstanceCapacity - We currently do not have sufficient capacity"
QUOTA = "api error VcpuLimitExceeded: more vCPU capacity than your current vCPU limit of 0"
THROTTLE = "ThrottlingException: Rate exceeded"
CREDENTIAL = "ExpiredTokenException: The security token included in the request is expired"
REQUEST = "InvalidParameterValue: no such thing"
REGIONS = {"us-east-1": 1.0, "us-west-2": 2.0, "eu-west-1": 3.0}


def catalog(*more):
    rows = [
        row(region=region, accelerator="A10G", instance_type="g5.xlarge", price=price)
        for region, price in REGIONS.items()
    ]
    system = [
        row(region=region, accelerator="", gpus=0.0, instance_type="m6i.large", price=0.1)
        for region in REGIONS
    ]
    return Catalog([*rows, *system, *more])


def job(name="train", nodes=2, alternatives=(), **need):
    resources = Resources(**{"accelerators": "A10G:1", **need})
    others = [Resources(**each) for each in alternatives]
    return Job(name=name, nodes=nodes, run="true", resources=resources, alternatives=others)


def failover(*jobs, prices=None, clusters=(), **more):
    jobs = list(jobs) or [job()]
    spec = ColonySpec(name="demo", jobs=jobs, clusters=list(clusters))
    return Failover(spec, prices or catalog(), built={"aws"}, **more)


def where(settled, name="main"):
    """(region, zone) of the GPU pool of a cluster."""
    cluster = next(each for each in settled.placement.clusters if each.name == name)
    pool = next(pool for pool in cluster.pools if pool.accelerator)
    return cluster.region, pool.zone


def gpus(settled, text, name="main"):
    cluster = next(each for each in settled.placement.clusters if each.name == name)
    return Refused(name, next(pool.name for pool in cluster.pools if pool.accelerator), text)


def walk(search, texts, start=0.0, step=60.0):
    """Where it goes when each attempt is refused with the next text."""
    settled, now, places, last = search.first(), start, [], None
    places.append(where(settled))
    for text in texts:
        now += step
        last = search.decide(settled, [gpus(settled, text)], now)
        if last.action is Action.STOP:
            break
        now += last.after
        settled = last.settled or settled
        places.append(where(settled))
    return places, last


def test_a_gang_is_bought_in_one_zone_and_a_single_node_wherever_the_cloud_likes():
    assert where(failover().first()) == ("us-east-1", "us-east-1a")
    assert where(failover(job(nodes=1)).first()) == ("us-east-1", None)


def test_stock_outs_go_through_the_zones_and_then_to_the_next_region():
    places, _ = walk(failover(), [CAPACITY] * 4)
    assert places == [
        ("us-east-1", "us-east-1a"),
        ("us-east-1", "us-east-1b"),
        ("us-east-1", "us-east-1c"),
        ("us-west-2", "us-west-2a"),
        ("us-west-2", "us-west-2b"),
    ]


def test_a_move_to_another_zone_adds_to_the_network_of_the_cluster_and_takes_nothing_away():
    search, zones = failover(), []
    settled = search.first()
    for now in (60, 120, 180):
        zones.append(zones_of(settled.placement.clusters[0]))
        settled = search.decide(settled, [gpus(settled, CAPACITY)], now).settled
    a, b, c = (f"us-east-1{letter}" for letter in "abc")
    assert zones == [[a, b], [a, b], [a, b, c]]
    assert settled.placement.clusters[0].region == "us-west-2"
    assert settled.placement.clusters[0].spans is None, "there it is made"


def test_a_region_wide_quota_costs_one_attempt():
    places, _ = walk(failover(), [QUOTA, QUOTA])
    assert [region for region, _ in places] == ["us-east-1", "us-west-2", "eu-west-1"]


def test_the_next_cloud_comes_when_a_cloud_is_closed():
    gcp = row(cloud="gcp", region="us-central1", zone="us-central1-a", accelerator="A10G",
              instance_type="g2", price=9.0)  # fmt: skip
    search = failover(
        prices=catalog(gcp),
    )
    search.built = {"aws", "gcp"}
    first = search.first()
    moved = search.decide(first, [gpus(first, "Blocked: your account is blocked")], 60)
    assert moved.settled.placement.clusters[0].cloud == "gcp"


@pytest.mark.parametrize("text", [CREDENTIAL, REQUEST])
def test_what_no_other_offer_would_mend_stops_at_once(text):
    places, last = walk(failover(), [text])
    assert (len(places), last.action) == (1, Action.STOP)
    assert text.split(":")[0] in last.reason


def test_a_throttle_is_asked_again_with_growing_pauses_and_blocks_nothing():
    search = failover()
    settled, pauses = search.first(), []
    for _ in range(6):
        decision = search.decide(settled, [gpus(settled, THROTTLE)], 60)
        assert (decision.action, decision.settled) == (Action.AGAIN, None)
        assert [each.until for each in decision.understood] == [None]
        pauses.append(decision.after)
    assert pauses == [5, 10, 20, 40, 80, 120]
    assert search.blocks.ends(0, float("inf")) == []


def test_when_everything_is_blocked_it_waits_for_the_first_block_to_end():
    search = failover(clusters=[ClusterSpec(name="main", cloud="aws", region="us-east-1")])
    settled = search.first()
    for now, zone in ((10, "b"), (20, "c")):
        settled = search.decide(settled, [gpus(settled, CAPACITY)], now).settled
        assert where(settled) == ("us-east-1", f"us-east-1{zone}")
    decision = search.decide(settled, [gpus(settled, CAPACITY)], 30)
    assert (decision.action, decision.after) == (Action.MOVE, 10 + 180 - 30)
    assert where(decision.settled) == ("us-east-1", "us-east-1a")


def test_it_stops_at_the_deadline_and_says_what_was_refused():
    policy = Policy(deadline=100)
    spec = [ClusterSpec(name="main", cloud="aws", region="us-east-1")]
    places, last = walk(failover(clusters=spec, policy=policy), [CAPACITY] * 9, step=30)
    assert (len(places), last.action) == (3, Action.STOP)
    assert "InsufficientInstanceCapacity" in last.reason


def test_it_stops_after_so_many_attempts():
    places, last = walk(failover(policy=Policy(attempts=3)), [CAPACITY] * 9)
    assert (len(places), last.action) == (3, Action.STOP)
    assert "3 attempts" in last.reason


def test_a_refusal_of_what_every_cluster_has_closes_the_region():
    search = failover()
    settled = search.first()
    for pool in ("system", ""):
        decision = search.decide(settled, [Refused("main", pool, CAPACITY)], 60)
        assert decision.settled.placement.clusters[0].region != "us-east-1"


def test_only_the_cluster_that_was_refused_moves():
    pools = [{"name": "l4", "accelerators": "L4:1", "nodes": 2}]
    clusters = [
        ClusterSpec(name="here", cloud="aws"),
        ClusterSpec(name="there", cloud="aws", region="us-east-1", pools=pools),
    ]
    jobs = [job("one"), job("two", accelerators="L4:1")]
    prices = catalog(row(region="us-east-1", instance_type="g6.xlarge", price=1.0))
    search = failover(*jobs, prices=prices, clusters=clusters)
    first = search.first()
    moved = search.decide(first, [gpus(first, QUOTA, "here")], 60)
    assert moved.moved == ["here"]
    before, after = first.placement, moved.settled.placement
    assert where(moved.settled, "here")[0] == "us-west-2"
    assert before.clusters[1] == after.clusters[1]
    assert after.jobs == before.jobs == {"one": "here", "two": "there"}


@pytest.mark.parametrize(("preference", "first"), [("any", "L4:1"), ("ordered", "A10G:1")])
def test_alternatives_are_taken_by_price_or_in_order(preference, first):
    prices = catalog(row(region="us-east-1", instance_type="g6.xlarge", price=0.5))
    wanted = job(alternatives=[{"accelerators": "L4:1"}])
    wanted = wanted.model_copy(update={"preference": Preference(preference)})
    search = failover(wanted, prices=prices)
    settled = search.first()
    assert settled.spec.jobs[0].resources.accelerators == first
    regions = set()
    while settled.spec.jobs[0].resources.accelerators == first:
        decision = search.decide(settled, [gpus(settled, QUOTA)], 60)
        settled = decision.settled
        regions.add(decision.action)
    assert settled.spec.jobs[0].resources.accelerators != first
    assert settled.spec.jobs[0].alternatives == []


def test_a_quota_that_is_told_to_be_too_small_is_no_offer():
    def told(cell):
        small = cell.region == "us-east-1" and cell.accelerator
        return Quota(4, "vCPUs", "G instances") if small else None

    search = failover(quota=told)
    assert where(search.first())[0] == "us-west-2"
    (reason,) = search.shortages
    assert "G instances" in reason and "us-east-1" in reason and "8 would be needed" in reason


def test_where_every_quota_is_too_small_the_refusal_names_them():
    with pytest.raises(NoOffer) as caught:
        failover(quota=lambda cell: Quota(1, "nodes", "few") if cell.accelerator else None).first()
    assert "eu-west-1" in str(caught.value)
    assert len([each for each in caught.value.refused if "`few`" in each["reason"]]) == 3


CODES = [failure.code for failure in known("aws")]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.sampled_from([*CODES, "something new"]), min_size=1, max_size=12),
    steps=st.lists(st.floats(1, 400), min_size=12, max_size=12),
    nodes=st.integers(1, 3),
)
def test_nothing_is_asked_for_inside_its_block(texts, steps, nodes):
    """Judged by a list of its own: what was refused where, how far it reached, until when."""
    search = failover(job(nodes=nodes))
    settled, now, blocked = search.first(), 0.0, []
    for text, step in zip(texts, steps, strict=False):
        now += step
        cluster = settled.placement.clusters[0]
        pool = next(pool for pool in cluster.pools if pool.accelerator)
        decision = search.decide(settled, [gpus(settled, text)], now)
        if decision.action is Action.STOP:
            return
        (one,) = decision.understood
        if one.until is not None:
            reach = one.failure.reach.value
            blocked += [(reach, cell, one.until) for cell in cells_of(cluster, pool)]
        now += decision.after
        settled = decision.settled or settled
        for cluster in settled.placement.clusters:
            for pool in cluster.pools:
                for cell in cells_of(cluster, pool):
                    assert not [b for b in blocked if b[2] > now and reaches(*b[:2], cell)]


def reaches(reach, one, other):
    same = {
        "offer": ("cloud", "region", "zone", "instance_type", "spot"),
        "zone": ("cloud", "region", "zone"),
        "type": ("cloud", "region", "instance_type", "spot"),
        "family": ("cloud", "region", "accelerator", "spot"),
        "region": ("cloud", "region"),
        "cloud": ("cloud",),
    }[reach]
    return all(getattr(one, name) == getattr(other, name) for name in same)


def test_decisions_are_plain_values():
    from colony.market.incident import decision_line

    search = failover()
    first = search.first()
    line = decision_line(search.decide(first, [gpus(first, QUOTA)], 60))
    assert json.loads(json.dumps(line)) == line


def test_regions_that_machines_were_taken_from_come_last_the_oldest_first():
    search = failover()
    settled, regions = search.first(), []
    for at in range(5):
        settled = search.taken(settled, "main", float(at)).settled
        regions.append(where(settled)[0])
    assert regions == ["us-west-2", "eu-west-1", "us-east-1", "us-west-2", "eu-west-1"]
    assert search.blocks.ends(0, float("inf")) == [], "nobody refused anything"


def test_machines_that_are_sold_in_one_region_alone_have_no_other():
    search = failover(job(region="us-west-2"))
    decision = search.taken(search.first(), "main", 1.0)
    assert (decision.action, decision.settled) == (Action.STOP, None)

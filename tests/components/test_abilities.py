"""What a kind of cluster can do is data; what it cannot is refused by name, with its path."""

import re

import pytest
from pydantic import ValidationError
from recording import GPUS, JOB, SYSTEM

from components.access import Access
from components.clusters import abilities, nodes
from components.clusters.abilities import Abilities, KindFacts, facts_of, kinds
from components.clusters.azure.pools import profile
from components.clusters.gcp.pools import size_of
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.pool_spec import Capacity, PoolSpec
from components.refusals import check_abilities, check_reservations
from components.spec import ColonySpec
from jobs.errors import InputError, NotSupported
from jobs.spec import Job

CREATED = 1767225600  # 2026-01-01T00:00:00Z
UNABLE = KindFacts.model_validate({"class": "a:b", "abilities": {}})


def place(cloud="aws", access=None, **pool):
    pools = [PoolPlacement(**{**GPUS, **pool})]
    return ClusterPlacement(name="main", cloud=cloud, region="r", pools=pools, access=access)


def spec(**pool):
    cluster = {"name": "main", "cloud": "aws", "pools": [{"name": "h100", **pool}]}
    return ColonySpec(name="demo", clusters=[cluster])


@pytest.fixture
def unable(monkeypatch):
    monkeypatch.setattr(abilities, "facts_of", lambda cloud: UNABLE)


@pytest.mark.parametrize("cloud", kinds())
def test_every_kind_says_what_it_is(cloud):
    module, _ = facts_of(cloud).cls.split(":")
    assert module == f"components.clusters.{cloud}.cluster"
    assert (abilities.FOLDER / cloud / "cluster.py").exists()
    assert set(facts_of(cloud).abilities.model_dump()) == set(Abilities.model_fields)


@pytest.mark.parametrize(
    ("pool", "field", "what"),
    [
        ({"spot": True}, "spot", "spot nodes"),
        ({"reservation": "cr-1"}, "reservation", "reserved capacity"),
        ({"compact": True}, "compact", "placement groups"),
        ({"min_nodes": 0}, "min_nodes", "scaling by themselves"),
        ({"disk": 500}, "disk", "disks of another size"),
        ({"image": "beos"}, "image", "no node image 'beos'"),
    ],
)
def test_what_a_kind_lacks_is_refused_with_the_files_own_path(unable, pool, field, what):
    with pytest.raises(
        NotSupported, match=re.escape(f"clusters[0].pools[0].{field}") + f".*{what}"
    ):
        check_abilities(spec(), place(**pool))
    with pytest.raises(NotSupported, match=re.escape(f"placement.clusters.main.h100.{field}")):
        check_abilities(ColonySpec(name="demo"), place(**pool))


def test_everything_that_is_lacking_is_named_at_once(unable):
    asked = place(access=Access(private=True), spot=True, compact=True)
    with pytest.raises(NotSupported) as caught:
        check_abilities(spec(), asked)
    assert [each.path for each in caught.value.problems] == [
        "clusters[0].access", "clusters[0].pools[0].spot", "clusters[0].pools[0].compact",
    ]  # fmt: skip


def test_nothing_special_asks_for_no_ability(unable):
    check_abilities(spec(), place())


@pytest.mark.parametrize(
    ("pool", "capacity", "spot"),
    [
        ({}, Capacity.ON_DEMAND, False),
        ({"spot": True}, Capacity.SPOT, True),
        ({"capacity": "spot"}, Capacity.SPOT, True),
        ({"reservation": "cr-1"}, Capacity.RESERVATION, False),
        ({"capacity": "reservation", "reservation": "cr-1"}, Capacity.RESERVATION, False),
    ],
)
def test_the_short_forms_of_capacity_are_the_long_one(pool, capacity, spot):
    found = PoolSpec(name="a", **pool)
    assert (found.capacity, found.spot) == (capacity, spot)
    again = PoolSpec.model_validate(found.model_dump(mode="json", exclude_defaults=True))
    assert again == found


@pytest.mark.parametrize(
    ("pool", "path"),
    [
        ({"capacity": "on-demand", "spot": True}, "spot"),
        ({"capacity": "reservation"}, "reservation"),
        ({"spot": True, "reservation": "cr-1"}, "spot.*bought by reservation cr-1"),
        ({"capacity": "spot", "reservation": "cr-1"}, "reservation"),
        ({"reserved_until": "2026-01-01T00:00:00Z"}, "reserved_until"),
        ({"reservation": "cr-1", "reserved_until": "soon"}, "is not a time"),
        ({"nodes": 2, "min_nodes": 3}, "min_nodes"),
        ({"disk": 10}, "disk"),
        ({"capacity": "free"}, "capacity"),
    ],
)
def test_pools_that_contradict_themselves_are_refused(pool, path):
    with pytest.raises(ValidationError, match=path):
        PoolSpec(name="a", **pool)


@pytest.mark.parametrize(
    "text", ["2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z", "2026-03-01 12:00:00"]
)
def test_the_end_of_a_reservation_is_kept_in_one_form(text):
    pool = PoolSpec(name="a", reservation="cr-1", reserved_until=text)
    assert pool.reserved_until == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    "given", [{}, {"cidrs": ["10.0.0.0/8"], "private": True}, {"cidrs": ["x"]},
              {"cidrs": ["10.0.0.1/8"]}, {"cidrs": ["::1/128"]}],
)  # fmt: skip
def test_access_is_either_a_list_or_private(given):
    with pytest.raises(ValidationError):
        Access(**given)


@pytest.mark.parametrize(("hours", "late"), [(23, False), (25, True)])
def test_a_reservation_that_ends_before_the_job_must_have_is_refused(hours, late):
    job = Job(**{**JOB, "max_run_time": hours * 3600})
    reserved = place(reservation="cr-1", reserved_until="2026-01-02T00:00:00Z")
    if not late:
        return check_reservations(spec(), reserved, [job], CREATED)
    with pytest.raises(InputError, match=re.escape("clusters[0].pools[0].reserved_until")) as told:
        check_reservations(spec(), reserved, [job], CREATED)
    assert "may run for 25h (" in str(told.value)
    return None


def test_a_job_that_runs_elsewhere_may_outlive_a_reservation():
    reserved = place(reservation="cr-1", reserved_until="2026-01-01T00:00:01Z")
    check_reservations(spec(), reserved, [Job(name="cpu", run="true")], CREATED)


SIZES = [(2.0, 8.0), (4.0, 16.0), (96.0, 1900.0), (192.0, 2048.0)]


@pytest.mark.parametrize("cloud", [each for each in kinds() if each != "existing"])
@pytest.mark.parametrize(("cpus", "memory"), SIZES)
def test_pods_get_less_than_a_machine_has_and_most_of_it(cloud, cpus, memory):
    pool = PoolPlacement(**{**GPUS, "cpus": cpus, "memory_gib": memory})
    cores, gib = nodes.allocatable(pool, cloud)
    assert 0.6 * cpus < cores < cpus
    assert 0.5 * memory < gib < memory


def test_only_gpu_nodes_are_tainted_and_spot_nodes_as_their_cloud_does():
    spot = nodes.Taint("example.com/spot", "true")
    placement = ClusterPlacement(
        name="m", cloud="aws", region="r",
        pools=[PoolPlacement(**SYSTEM), PoolPlacement(**{**GPUS, "spot": True})],
    )  # fmt: skip
    system, gpus = nodes.node_pools(placement, spot)
    assert system.taints == ()
    assert gpus.taints == (nodes.GPU_TAINT, spot)
    assert gpus.labels == {"colony.dev/pool": "h100", "colony.dev/accelerator": "H100"}
    assert nodes.tolerations_of([system, gpus]) == [spot.toleration]


@pytest.mark.parametrize("cloud", ["onprem", "existing"])
def test_machines_that_are_not_ours_are_not_stopped(cloud):
    idle = ColonySpec(name="demo", idle={"stop": "30m"})
    theirs = ClusterPlacement(name="main", cloud=cloud, region="r")
    with pytest.raises(NotSupported, match=f"idle.stop: the machines of a cluster on {cloud}"):
        check_abilities(idle, theirs)
    check_abilities(ColonySpec(name="demo", idle={"delete": "30m"}), theirs)
    check_abilities(idle, place())


def test_a_stopped_pool_has_no_nodes_and_no_price_and_may_have_them_again():
    here = place("azure", nodes=4, price_per_node_hour=2.0)
    (pool,) = here.pools
    gone = pool.model_copy(update={"stopped": 1})
    assert (profile(pool, here, {})["count"], profile(gone, here, {})["count"]) == (4, 0)
    assert (size_of(pool), size_of(gone)) == ({"node_count": 4}, {"node_count": 0})
    scaling = pool.model_copy(update={"min_nodes": 1, "stopped": 1})
    assert size_of(scaling)["autoscaling"]["total_min_node_count"] == 0
    assert profile(scaling, here, {})["min_count"] == 0
    dear = Placement(clusters=[here])
    cheap = Placement(clusters=[here.model_copy(update={"pools": [gone]})])
    assert (dear.price_per_hour, cheap.price_per_hour) == (8.0, 0.0)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colony.market.catalog import Catalog
from colony.market.onprem import Room, placement_of
from colony.market.place import place
from colony.market.request import Request
from components.spec import ClusterSpec, ColonySpec
from jobs.errors import InputError
from jobs.spec import Job, Resources

EIGHT = {"address": "gpu1", "accelerators": "A100:8", "cpus": 64, "memory": 512, "price": 4}


def metal(*hosts, **more):
    return ClusterSpec(name="metal", cloud="onprem", hosts=list(hosts), **more)


def job(name="train", nodes=1, **resources):
    return Job(name=name, nodes=nodes, resources=Resources(**resources), run="true")


def colony(*jobs, clusters):
    return ColonySpec(name="demo", clusters=clusters, jobs=list(jobs))


def test_alike_hosts_are_one_pool_at_their_given_price():
    twin = {**EIGHT, "address": "gpu2", "user": "ops", "port": 2222}
    made = placement_of(metal(EIGHT, twin, "head", ssh={"user": "admin"}))
    assert [(p.name, p.accelerator, p.accelerator_count, p.nodes) for p in made.pools] == [
        ("a100-8", "A100", 8, 2), ("cpu", None, 0, 1),
    ]  # fmt: skip
    assert [p.price_per_node_hour for p in made.pools] == [4, 0]
    assert [(h.address, h.user, h.port, h.pool) for h in made.hosts] == [
        ("gpu1", "admin", 22, "a100-8"), ("gpu2", "ops", 2222, "a100-8"),
        ("head", "admin", 22, "cpu"),
    ]  # fmt: skip


def test_hosts_of_one_accelerator_but_other_sizes_are_pools_of_their_own():
    made = placement_of(metal(EIGHT, {**EIGHT, "address": "old", "cpus": 32}))
    assert [pool.name for pool in made.pools] == ["a100-8", "a100-8-2"]


def test_a_job_goes_to_own_machines_while_there_is_room_and_then_to_a_cloud():
    spec = colony(
        job("first", accelerators="A100:8"), job("second", accelerators="A100:8"),
        clusters=[metal(EIGHT), ClusterSpec(name="rented", cloud="aws")],
    )  # fmt: skip
    placement = place(spec, Catalog.load())
    assert placement.jobs == {"first": "metal", "second": "rented"}


@pytest.mark.parametrize(
    ("resources", "nodes"),
    [
        ({"accelerators": "A100:8"}, 2),
        ({"accelerators": "H100:1"}, 1),
        ({"accelerators": "A100:9"}, 1),
        ({"accelerators": "A100:1", "cpus": "65+"}, 1),
        ({"accelerators": "A100:1", "memory": "600+"}, 1),
    ],
)
def test_what_no_own_machine_has_is_refused_with_what_is_left(resources, nodes):
    with pytest.raises(InputError, match=r"metal has 1 x A100:8 left"):
        place(colony(job(nodes=nodes, **resources), clusters=[metal(EIGHT)]), Catalog.load())


@given(
    hosts=st.lists(st.integers(0, 8), min_size=1, max_size=6),
    asks=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 4)), max_size=12),
)
def test_hosts_are_never_given_away_twice(hosts, asks):
    machines = [
        {"address": f"h{n}", **({"accelerators": f"A100:{gpus}"} if gpus else {})}
        for n, gpus in enumerate(hosts)
    ]
    room = Room.of(metal(*machines))
    taken = 0
    for gpus, nodes in asks:
        if room.take([Request(accelerator="A100", count=gpus, nodes=nodes)]):
            taken += gpus * nodes
        assert sum(each.gpus for each in room.left) == sum(hosts) - taken
        assert all(each.gpus >= 0 for each in room.left)

from hypothesis import given
from state_graphs import CHAIN, SECONDS, graphs, resource

from colony.rehearsal.timeline import destroy_levels, destroy_timeline, paid_until, up_timeline


def test_an_up_takes_the_longest_path():
    timeline = up_timeline(CHAIN, SECONDS)
    assert timeline == {"a": (0, 10), "b": (10, 30), "c": (30, 35), "d": (10, 110)}


def test_every_kind_of_need_is_waited_for():
    needs = {
        "parent": "a",
        "provider": "a::id",
        "deletedWith": "a",
        "propertyDependencies": {"x": ["a"]},
    }
    for key, value in needs.items():
        found = up_timeline([resource("a"), resource("b", **{key: value})], {"a": 7})
        assert found["b"] == (7, 7), key


def test_a_destroy_waits_at_each_level():
    # d stands on the level of b, so c goes first and b waits for nobody but c
    assert destroy_levels(CHAIN) == [["c"], ["b", "d"], ["a"]]
    timeline = destroy_timeline(CHAIN, SECONDS)
    assert timeline == {"c": (0, 5), "b": (5, 25), "d": (5, 105), "a": (105, 115)}


def test_what_goes_with_something_else_costs_nothing():
    state = [resource("cluster"), resource("layer", "cluster", deletedWith="cluster")]
    timeline = destroy_timeline(state, {"cluster": 180, "layer": 30})
    assert timeline == {"layer": (0, 0), "cluster": (0, 180)}


def test_what_goes_with_something_else_is_paid_until_that_is_gone():
    pool = resource("pool", "cluster", deletedWith="cluster")
    state = [resource("group"), resource("cluster", "group", deletedWith="group"), pool,
             resource("disk", deletedWith="elsewhere")]  # fmt: skip
    timeline = destroy_timeline(state, {"group": 100, "cluster": 80, "pool": 30, "disk": 5})
    assert paid_until(state, timeline) == {"group": 100, "cluster": 100, "pool": 100, "disk": 5}


def test_deleted_with_something_that_stays_costs_its_time():
    assert destroy_timeline([resource("layer", deletedWith="cluster")], {"layer": 30})["layer"] == (
        0,
        30,
    )


def test_a_component_stands_for_what_is_in_it():
    state = [
        resource("component", custom=False),
        resource("child", parent="component"),
        resource("grandchild", parent="child"),
        resource("outside", "component"),
    ]
    assert destroy_levels(state) == [["outside"], ["grandchild"], ["child"], ["component"]]


def test_what_is_on_its_way_out_is_no_part_of_an_up():
    assert up_timeline([resource("a", delete=True), resource("a")], {"a": 3}) == {"a": (0, 3)}


@given(graphs())
def test_in_parallel_is_never_slower_than_in_turn_nor_faster_than_the_slowest(graph):
    resources, seconds = graph
    for timeline in (up_timeline(resources, seconds), destroy_timeline(resources, seconds)):
        assert timeline.keys() == seconds.keys()
        total = max(end for _, end in timeline.values())
        assert max(seconds.values()) <= total <= sum(seconds.values())
        assert all(end - start == seconds[urn] for urn, (start, end) in timeline.items())


@given(graphs())
def test_nothing_starts_before_what_it_needs_and_nothing_goes_before_what_needs_it(graph):
    resources, seconds = graph
    up, down = up_timeline(resources, seconds), destroy_timeline(resources, seconds)
    for one in resources:
        for need in one["dependencies"]:
            assert up[one["urn"]][0] >= up[need][1]
            assert down[one["urn"]][1] <= down[need][0]

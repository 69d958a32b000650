from hypothesis import given
from state_graphs import CHAIN, SECONDS, graphs, resource

from colony.rehearsal.critical import destroy_report, longest_chain, up_report
from colony.rehearsal.timeline import destroy_timeline, up_timeline


def test_the_chain_is_what_each_step_has_waited_for():
    timeline = up_timeline(CHAIN, SECONDS)
    report = up_report(CHAIN, timeline, 120)
    assert [step["urn"] for step in report["steps"]] == ["a", "d"]
    assert [step["at"] for step in report["steps"]] == [0, 10]
    assert (report["seconds"], report["longest_chain"]) == (120, 110)


def test_a_level_is_as_slow_as_its_slowest():
    report = destroy_report(CHAIN, destroy_timeline(CHAIN, SECONDS), 115)
    assert [level["slowest"] for level in report["levels"]] == ["c", "d", "a"]
    assert [level["count"] for level in report["levels"]] == [1, 2, 1]
    assert report["sum_of_levels"] == report["seconds"] == 115


def test_what_goes_with_its_cluster_makes_no_level_slow():
    state = [resource("cluster"), resource("layer", "cluster", deletedWith="cluster")]
    report = destroy_report(state, destroy_timeline(state, {"cluster": 180, "layer": 30}), 180)
    assert [level["slowest"] for level in report["levels"]] == ["cluster"]


def test_an_empty_state_has_no_chain():
    assert longest_chain([], {}) == []
    assert up_report([], {}, 0)["steps"] == destroy_report([], {}, 0)["levels"] == []


@given(graphs())
def test_chain_and_levels_explain_all_of_the_time(graph):
    resources, seconds = graph
    up, down = up_timeline(resources, seconds), destroy_timeline(resources, seconds)
    took = max(end for _, end in up.values())
    assert up_report(resources, up, took)["longest_chain"] == took
    ended = max(end for _, end in down.values())
    assert destroy_report(resources, down, ended)["sum_of_levels"] == ended

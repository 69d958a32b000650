"""The planner's rules: the et-operator's state table, and what it got wrong."""

from __future__ import annotations

import pytest
from elastic_world import World, numbers, running_world

from colony.agent.model import CreatePod, DeletePod, Request, Workload
from colony.agent.plan import plan


def scaled(world: World, kind: str, count: int | None = None, **more: object) -> str:
    """Asks and lives until it has ended; returns the outcome."""
    identifier = world.ask(kind, count, **more)
    world.live(
        400,
        until=lambda: any(e.id == identifier for e in world.state.history),  # type: ignore
    )
    assert world.last.id == identifier
    return world.last.outcome


# --- the state table: workers 0, 1, 2 are running -------------------------------------------


def test_scale_in_by_one_removes_the_highest() -> None:
    world = running_world()
    assert scaled(world, "in", 1) == "done"
    assert world.hosts == world.alive == [0, 1]


def test_scale_in_of_all_is_refused_and_the_job_goes_on() -> None:
    world = running_world()
    assert scaled(world, "in", 3) == "refused"
    assert world.hosts == world.alive == [0, 1, 2]


def test_an_index_is_never_used_again() -> None:
    world = running_world()
    assert scaled(world, "in", names=["demo-worker-1"]) == "done"
    assert scaled(world, "out", 2) == "done"
    assert world.hosts == world.alive == [0, 2, 3, 4]


def test_a_scale_out_without_room_is_taken_back_whole() -> None:
    world = running_world(room=4)
    asked = world.now
    assert scaled(world, "out", 2) == "failed"
    assert 60 <= world.now - asked <= 70
    assert world.hosts == world.alive == world.target == [0, 1, 2]
    assert numbers(world.created) == [0, 1, 2, 3, 4]
    assert "demo-worker-4: Unschedulable" in world.last.message


@pytest.mark.parametrize(
    ("restart", "code", "hosts"),
    [
        ("Never", 1, [1, 2]),
        ("Never", 137, [1, 2]),
        ("OnFailure", 1, [1, 2, 3]),
        ("Always", 0, [1, 2, 3]),
        ("OnFailure", 0, [1, 2]),
        ("ExitCode", 1, [1, 2]),
        ("ExitCode", 127, [1, 2]),
        ("ExitCode", 128, [1, 2, 3]),
        ("ExitCode", 255, [1, 2, 3]),
        ("ExitCode", None, [1, 2, 3]),
    ],
)
def test_a_dead_worker_leaves_and_is_replaced_by_its_policy(
    restart: str, code: int | None, hosts: list[int]
) -> None:
    world = running_world(restart=restart)
    world.die("demo-worker-0", code, "Succeeded" if code == 0 else "Failed")
    world.turn()
    assert world.hosts == [1, 2]
    world.live(10)
    assert world.hosts == world.target == hosts
    assert world.state is not None
    assert world.state.phase == "Running"


@pytest.mark.parametrize(
    ("kind", "count", "said"),
    [("out", 7, "there would be 10 workers, and max is 9"),
     ("in", 3, "there would be 0 workers, and min is 1"),
     ("in", 99, "there would be -96 workers, and min is 1"),
     ("out", 0, "the count must be at least 1, not 0"),
     ("in", -1, "the count must be at least 1, not -1"),
     ("out", None, "either a count or names"),
     ("sideways", 1, "neither `out` nor `in`")],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_before_any_change(
    kind: str, count: int | None, said: str
) -> None:
    world = running_world()
    world.ask(kind, count)
    actions = world.turn()
    assert not [each for each in actions if isinstance(each, (CreatePod, DeletePod))]
    assert world.last.outcome == "refused"
    assert said in world.last.message
    assert world.target == world.hosts == [0, 1, 2]


@pytest.mark.parametrize("clean_up", ["Running", "All"])
def test_the_launchers_end_decides_and_takes_everything_with_it(clean_up: str) -> None:
    world = running_world(clean_up=clean_up)
    world.ask("out", 1)
    world.workload = Workload(finished=True)
    world.live(10)
    assert world.alive == []
    assert world.deleted_objects[-1:] == ["demo"]
    assert world.state is None
    world.live(3)
    assert world.state is None, "nothing starts again"


def test_clean_up_none_leaves_all() -> None:
    world = running_world(clean_up="None")
    world.workload = Workload(finished=True)
    world.live(10)
    assert world.alive == [0, 1, 2]
    assert world.state is not None
    assert world.state.phase == "Finished"


# --- what the et-operator got wrong ---------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said"),
    [(["demo-worker-0", "demo-worker-1", "demo-worker-2"], "min is 1"),
     (["demo-worker-7"], "no worker is called demo-worker-7: there are demo-worker-0, "),
     (["worker-1", "demo-worker-1"], "given twice"),
     ([], "no name is given")],
)  # fmt: skip
def test_names_are_checked(names: list[str], said: str) -> None:
    world = running_world()
    assert scaled(world, "in", names=names) == "refused"
    assert said in world.last.message
    assert world.hosts == [0, 1, 2]


def test_count_and_names_together_are_refused() -> None:
    world = running_world()
    assert scaled(world, "in", 1, names=["worker-0"]) == "refused"
    assert "either a count or names" in world.last.message


def test_requests_are_done_in_order_and_one_at_a_time() -> None:
    world = running_world()
    first, second, third = world.ask("out", 2), world.ask("in", 1), world.ask("out", 9)
    world.live(40)
    assert world.state is not None
    assert [(e.id, e.outcome) for e in world.state.history] == [
        (first, "done"), (second, "done"), (third, "refused"),
    ]  # fmt: skip
    assert world.hosts == [0, 1, 2, 3]


def test_a_request_that_was_done_is_not_done_again() -> None:
    world = running_world()
    scaled(world, "out", 1)
    assert world.state is not None
    done = world.state.history[-1].id
    world.state.requests.append(Request(done, "out", count=1))
    world.live(10)
    assert world.hosts == [0, 1, 2, 3]


# --- order ----------------------------------------------------------------------------------


def test_added_workers_are_announced_only_when_all_run() -> None:
    world = running_world(room=4)
    world.ask("out", 2)
    world.live(20)
    assert len(world.alive) == 5
    assert world.hosts == [0, 1, 2]
    world.room = 5
    world.live(5)
    assert world.hosts == [0, 1, 2, 3, 4]


def test_a_worker_is_deleted_only_when_the_launcher_has_let_go() -> None:
    world = running_world(answers=False)
    world.ask("in", 1)
    world.live(30)
    assert world.hosts == [0, 1]
    assert world.alive == [0, 1, 2], "the launcher has not let go"
    world.answers = True
    world.live(8)
    assert world.alive == [0, 1]
    assert world.last.message == ""


def test_a_launcher_that_never_lets_go_holds_a_worker_until_the_timeout() -> None:
    world = running_world(answers=False)
    asked = world.now
    assert scaled(world, "in", 1) == "done"
    assert 60 <= world.now - asked <= 65
    assert world.last.message == "the launcher had not let go in time"
    assert world.alive == [0, 1]


def test_a_launcher_that_is_not_there_holds_nobody() -> None:
    world = running_world()
    world.launching = False
    asked = world.now
    assert scaled(world, "in", 1) == "done"
    assert world.now - asked < 6


def test_an_answer_to_something_older_is_no_answer() -> None:
    world = running_world(answers=False)
    world.readiness = -1  # not ready while it is told
    world.ask("in", 1)
    world.live(5)
    world.readiness = 2  # ready, but for the first time
    world.turn()
    assert world.alive == [0, 1, 2]
    generation = world.state.generation  # type: ignore[union-attr]
    world.readiness = 3
    world.turn()
    assert world.state is not None
    assert world.state.acknowledged == generation
    world.pass_time()
    assert world.alive == [0, 1]


def test_an_answer_is_only_to_what_was_asked_before_it() -> None:
    world = running_world(answers=False)
    world.ask("in", 1)
    world.turn()
    world.leaving_nodes = {"n0"}  # before the launcher has taken notice of the first
    world.turn()
    world.readiness = 2
    world.turn()
    world.pass_time()
    assert world.alive == [0, 1], "worker-2 is free to go, worker-0 was not asked about"
    world.readiness = 3
    world.turn()
    world.pass_time()
    assert world.alive == [1]


# --- taken away -----------------------------------------------------------------------------


@pytest.mark.parametrize(("restart", "after"), [("Never", [0, 2]), ("OnFailure", [0, 2, 3])])
def test_a_drained_node_is_left_before_it_goes(restart: str, after: list[int]) -> None:
    world = running_world(restart=restart)
    world.leaving_nodes = {"n1"}
    world.turn()
    assert world.hosts == [0, 2]
    assert world.alive == ([0, 1, 2] if restart == "Never" else [0, 1, 2, 3])
    world.live(10)
    assert world.hosts == world.alive == after


def test_replacements_wait_for_the_leaving_ones_where_max_is_reached() -> None:
    world = running_world(restart="OnFailure", max=3)
    world.leaving_nodes = {"n1", "n2"}
    world.live(15)  # World.create checks that there are never more than 3
    assert world.hosts == [0, 3, 4]


def test_fewer_than_min_are_filled_up_whatever_the_policy() -> None:
    world = running_world(min=3)
    world.die("demo-worker-2")
    world.live(10)
    assert world.hosts == [0, 1, 3]


def test_workers_that_ended_well_are_not_missed() -> None:
    world = running_world(min=3, restart="OnFailure")
    for index in range(3):
        world.die(f"demo-worker-{index}", 0, "Succeeded")
    world.live(10)
    assert world.alive == []


def test_a_launcher_that_begins_anew_misses_those_that_ended_with_the_last() -> None:
    world = running_world()
    for index in range(3):
        world.die(f"demo-worker-{index}", 0, "Succeeded")
    world.live(10)
    world.launcher = "demo-launcher-again"
    world.live(10)
    assert world.hosts == [3, 4, 5]


def test_a_worker_that_always_fails_is_not_made_for_ever() -> None:
    world = running_world(restart="OnFailure")
    for _ in range(3000):
        world.live(1)
        for name, pod in list(world.pods.items()):
            if pod.running and name not in ("demo-worker-0", "demo-worker-1"):
                world.die(name)
    assert world.hosts == [0, 1]
    assert 8 <= len(world.created) <= 14
    assert world.state is not None
    assert "no more are made" in world.state.message


def test_lost_workers_come_back_when_there_is_room_again() -> None:
    world = running_world(grow=True)
    world.leaving_nodes, world.room = {"n1", "n2"}, 1
    world.live(15)
    assert world.hosts == [0]
    world.leaving_nodes = set()
    world.live(200)
    assert world.hosts == [0]
    world.room = 100
    world.live(200)
    assert len(world.hosts) == 3
    assert world.state is not None
    assert world.state.wanted == 3


def test_without_grow_they_do_not() -> None:
    world = running_world()
    world.die("demo-worker-1", None)
    world.live(300)
    assert world.hosts == [0, 2]


def test_a_suspended_job_has_no_workers_and_gets_new_ones() -> None:
    world = running_world()
    world.workload = Workload(suspended=True)
    world.live(10)
    assert world.alive == world.hosts == []
    world.workload = Workload()
    world.live(10)
    assert world.hosts == [3, 4, 5]


@pytest.mark.parametrize("workload", [Workload(suspended=True), Workload(exists=False)])
def test_nothing_is_made_before_the_job_is_admitted(workload: Workload) -> None:
    world = World(workload=workload)
    world.live(5)
    assert world.state is None
    assert world.created == []


# --- scripts --------------------------------------------------------------------------------


def test_a_script_that_does_not_end_well_takes_a_scale_out_back() -> None:
    world = running_world(answers=False)
    asked = world.now
    world.ask("out", 1, script="notify", timeout=20)
    world.live(5)
    assert world.hosts == [0, 1, 2, 3]
    world.live(17)
    assert world.hosts == [0, 1, 2], "no longer announced"
    assert world.alive == [0, 1, 2, 3], "and not deleted before the launcher has let go"
    world.live(60, until=lambda: len(world.state.history) == 1)  # type: ignore[union-attr]
    assert world.last.outcome == "failed"
    assert world.alive == [0, 1, 2]
    assert world.now - asked < 50


def test_a_script_is_waited_for() -> None:
    world = running_world()
    assert scaled(world, "out", 1, script="notify") == "done"
    assert world.hosts == [0, 1, 2, 3]


def test_names_can_be_given_for_new_workers_too() -> None:
    world = running_world()
    assert scaled(world, "out", names=["worker-5"]) == "done"
    assert world.hosts == [0, 1, 2, 5]
    assert scaled(world, "out", names=["worker-4"]) == "refused"
    assert "the next is demo-worker-6" in world.last.message


def test_the_plan_does_not_change_what_it_is_given() -> None:
    world = running_world()
    world.ask("in", 1)
    before = repr(world.state)
    plan(world.spec, world.state, world.seen())
    assert repr(world.state) == before

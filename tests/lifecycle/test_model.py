"""Whole lives in numbers: money and lost work of many seeded histories."""

from __future__ import annotations

import pytest
from life_worlds import budget_case, preemption_case

from colony.lifecycle.model import Course, Place, live, takings
from components.spec import Budget, BudgetAction
from jobs.recovery import Recovery

PLACE = Place("a/one", nodes_per_hour=36.0)


def never(_place):
    return float("inf")


def test_a_budget_is_never_exceeded_by_more_than_one_poll():
    ends = {}
    for seed in range(1000):
        places, course = budget_case(seed)
        history = live(places, course, takings(seed))
        most = max(place.per_hour for place in places)
        assert history.spent <= course.budget.usd + most * course.poll / 3600 + 1e-6, seed
        ends[history.outcome, bool(history.reason)] = (
            ends.get((history.outcome, bool(history.reason)), 0) + 1
        )
    assert ends["succeeded", False] > 100, "budgets that are enough do not end anybody"
    assert ends["failed", True] > 300, "budgets that are not do"


def test_every_preemption_history_ends_and_says_what_was_lost():
    outcomes, most = set(), 0
    for seed in range(1000):
        places, course = preemption_case(seed)
        history = live(places, course, takings(seed))
        outcomes.add(history.outcome)
        most = max(most, history.preemptions)
        assert history.events[-1].what == "gone"
        assert history.seconds <= course.lease + max(place.draining for place in places) + 1e-6
        assert 0 <= history.lost_usd <= history.spent
        assert (history.lost_usd > 0) == (history.lost_seconds > 0)
        if history.outcome == "succeeded":
            assert history.restarts == history.preemptions
        if not history.preemptions and history.outcome == "succeeded":
            assert history.lost_seconds == 0
    assert outcomes >= {"succeeded", "timed_out"}
    assert most >= 5


@pytest.mark.parametrize("action", list(BudgetAction))
def test_a_drain_leaves_time_for_the_last_checkpoint_and_a_kill_does_not(action):
    course = Course(work=10 * 3600, saves=30, grace=60, budget=Budget(usd=100.0, action=action))
    history = live([PLACE], course, never)
    assert history.decisions == [action.value]
    assert history.lost_seconds == pytest.approx(0 if action is BudgetAction.DRAIN else 1665)
    assert 99 < history.spent <= 100 + 36 * 5 / 3600


def test_the_bill_of_a_quiet_life_is_exact():
    place = Place(
        "a", nodes_per_hour=30.0, base_per_hour=0.6, cluster=600, nodes=600, pulling=0, draining=600
    )
    history = live([place], Course(work=3600), never)
    assert history.spent == pytest.approx(0.6 / 6 + 30.6 * (600 + 3600 + 600) / 3600)
    assert history.decisions == ["succeeded"]


def test_work_behind_the_last_checkpoint_is_done_again_and_no_other():
    taken = iter([5000.0, float("inf")])
    course = Course(work=7200, checkpoint=3600, recovery=Recovery(strategy="FAILOVER"))
    history = live([PLACE], course, lambda _: next(taken))
    assert history.lost_seconds == 1400
    assert history.lost_usd == pytest.approx(1400 / 3600 * 36)
    assert history.decisions == ["restart: same region", "succeeded"]
    quiet = live([PLACE], course, never)
    again = PLACE.nodes + PLACE.pulling + 1400
    assert history.seconds == pytest.approx(quiet.seconds + again)


def test_a_hook_that_saves_within_the_notice_loses_nothing():
    taken = iter([5000.0, float("inf")])
    course = Course(work=7200, saves=60, notice=120, recovery=Recovery())
    history = live([PLACE], course, lambda _: next(taken))
    assert (history.preemptions, history.lost_seconds) == (1, 0)


def test_the_next_region_is_set_up_anew():
    taken = iter([1000.0, float("inf")])
    other = Place("b", nodes_per_hour=40.0)
    history = live([PLACE, other], Course(work=7200, recovery=Recovery()), lambda _: next(taken))
    assert history.decisions == ["restart: next region", "succeeded"]
    assert [event.where for event in history.events if event.what == "provision"] == ["a/one", "b"]


@pytest.mark.parametrize(
    "recovery, codes, decisions",
    [
        (None, (1,), ["restart: nowhere"]),
        (Recovery(), (1,), ["restart: nowhere"]),
        (Recovery(max_restarts_on_errors=1), (1,), ["restart: same region", "succeeded"]),
        (Recovery(max_restarts_on_errors=1), (1, 1), ["restart: same region", "restart: nowhere"]),
        (
            Recovery(max_restarts_on_errors=1, recover_on_exit_codes=[33]),
            (33, 33, 1, 33),
            ["restart: same region"] * 4 + ["succeeded"],
        ),
    ],
)
def test_exit_codes_to_recover_from_are_not_counted(recovery, codes, decisions):
    course = Course(work=3600, exit_codes=codes, recovery=recovery)
    assert live([PLACE], course, never).decisions == decisions


def test_one_seed_is_one_history():
    places, course = preemption_case(7)
    assert live(places, course, takings(7)) == live(places, course, takings(7))

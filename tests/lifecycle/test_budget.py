"""When money ends a colony."""

from __future__ import annotations

import math

import pytest

from colony.lifecycle.budget import Bill, Ending, decide_budget, outlook, seconds_left
from colony.lifecycle.ground import Span
from colony.lifecycle.spending import bill_of, ending_of, refuse_small_budget
from colony.market.costs import minutes_of
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import Budget, BudgetAction, ColonySpec
from jobs.errors import InputError

ENDING = Ending(grace=60, draining=300)
HOURLY = 36.0
"""One cent a second."""


@pytest.mark.parametrize(
    "budget, spent, action",
    [
        (None, 10**9, None),
        ({"usd": 100.0}, 96.39, None),
        ({"usd": 100.0}, 96.41, BudgetAction.DRAIN),
        ({"usd": 100.0, "action": "kill"}, 96.41, None),
        ({"usd": 100.0, "action": "kill"}, 97.01, BudgetAction.KILL),
        ({"usd": 100.0}, 1000.0, BudgetAction.DRAIN),
    ],
)
def test_the_end_begins_while_there_is_money_for_it(budget, spent, action):
    budget = budget and Budget(**budget)
    verdict = decide_budget(budget, Bill(spent, HOURLY), ENDING)
    assert verdict.action is action
    assert ("$100.00" in verdict.reason) == (action is not None)


def test_the_time_left_is_that_until_the_verdict():
    budget = Budget(usd=100.0)
    left = seconds_left(budget, Bill(90.0, HOURLY), ENDING)
    assert left == pytest.approx(1000 - 360)
    then = 90.0 + HOURLY * left / 3600
    assert decide_budget(budget, Bill(then + 1e-9, HOURLY), ENDING).action is BudgetAction.DRAIN
    assert decide_budget(budget, Bill(then - 1e-3, HOURLY), ENDING).action is None


def test_what_costs_nothing_is_not_bounded():
    assert seconds_left(Budget(usd=1.0), Bill(0.0, 0.0), ENDING) == math.inf


@pytest.mark.parametrize(
    "budget, projected, worst",
    [(None, 82.0, 370.0), (Budget(usd=50.0), 50.05, 50.05), (Budget(usd=100.0), 82.0, 100.05)],
)
def test_a_budget_bounds_what_may_be_spent(budget, projected, worst):
    shown = outlook(budget, Bill(10.0, HOURLY), to_run_time=7200, to_lease=36000, poll=5)
    assert (shown.spent, shown.projected, shown.worst) == (
        10.0, pytest.approx(projected), pytest.approx(worst),
    )  # fmt: skip


def test_a_bill_counts_what_is_up_and_what_was():
    spans = [
        Span("gone", "disk", "", 1.0, 0.0, 3600.0),
        Span("up", "node", "", 2.0, 3600.0, 7200.0),
        Span("of an earlier colony", "node", "", 50.0, -7200.0, -3600.0),
    ]
    assert bill_of(spans, 0.5, 7200.0) == Bill(3.0, 2.0)
    assert bill_of(spans, 9.0, 7200.0).per_hour == 9.0, "nodes that are still to come"


@pytest.mark.parametrize("dear, rest", [(110.0, 0.3), (0.5, 0.3), (0.0, 0.3), (2.0, 0.0)])
@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_what_has_no_accelerators_is_paid_for_longer_and_the_end_counts_it(cloud, dear, rest):
    pool = PoolPlacement(
        name="gpu", instance_type="any", accelerator_count=1, nodes=2, price_per_node_hour=dear / 2
    )
    place = ClusterPlacement(
        name="main", cloud=cloud, region="any", pools=[pool], control_plane_per_hour=rest
    )
    ending = ending_of(ColonySpec(name="lab"), Placement(clusters=[place]))
    minutes = minutes_of(cloud)
    costs = dear * minutes["draining"] + rest * minutes["rest"]
    assert (dear + rest) * ending.draining / 60 == pytest.approx(costs)


def test_a_budget_that_a_beginning_would_spend_is_refused():
    pool = PoolPlacement(name="gpu", instance_type="p5", nodes=4, price_per_node_hour=100.0)
    cluster = ClusterPlacement(name="main", cloud="aws", region="us-east-1", pools=[pool])
    placement = Placement(clusters=[cluster])
    spec = ColonySpec(name="c", budget=Budget(usd=120.0))
    with pytest.raises(
        InputError, match=r"budget.usd: \$120.00 would be spent before a job begins"
    ):
        refuse_small_budget(spec, placement)
    refuse_small_budget(spec.model_copy(update={"budget": Budget(usd=200.0)}), placement)

"""What a colony may cost, and when that makes it end. Pure.

Prices are those that were recorded with the placement. The end itself costs: it is begun while
there is money for it, at the price of everything that is up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from components.spec import Budget, BudgetAction

__all__ = ["Bill", "Ending", "Outlook", "Verdict", "decide_budget", "outlook", "seconds_left"]

HOUR = 3600.0


@dataclass(frozen=True)
class Bill:
    """USD spent so far, and USD per hour of all that is or will be up."""

    spent: float
    per_hour: float


@dataclass(frozen=True)
class Ending:
    """Seconds that an end takes at most: for the jobs' last checkpoint, then for the destroy."""

    grace: float
    draining: float

    def seconds(self, action: BudgetAction) -> float:
        return self.draining + (self.grace if action is BudgetAction.DRAIN else 0.0)


@dataclass(frozen=True)
class Verdict:
    """`action` is None while there is money; `reason` says how much."""

    action: BudgetAction | None
    reason: str = ""


@dataclass(frozen=True)
class Outlook:
    """USD: so far, when the jobs run as long as they may, and when nobody ends anything."""

    spent: float
    projected: float
    worst: float

    def to_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in vars(self).items()}


def decide_budget(budget: Budget | None, bill: Bill, ending: Ending) -> Verdict:
    """Whether the end must begin now, and how."""
    if budget is None or seconds_left(budget, bill, ending) > 0:
        return Verdict(None)
    last = bill.per_hour * ending.seconds(budget.action) / HOUR
    reason = (
        f"budget: ${bill.spent:,.2f} spent, and its end costs up to ${last:,.2f}, "
        f"of ${budget.usd:,.2f} ({budget.action.value})"
    )
    return Verdict(budget.action, reason)


def seconds_left(budget: Budget | None, bill: Bill, ending: Ending) -> float:
    """Until the end must begin; infinite where nothing is paid, or nothing bounds it."""
    if budget is None:
        return math.inf
    money = budget.usd - bill.spent
    if bill.per_hour <= 0:
        return math.inf if money > 0 else 0.0
    return money / bill.per_hour * HOUR - ending.seconds(budget.action)


def outlook(
    budget: Budget | None, bill: Bill, *, to_run_time: float, to_lease: float, poll: float
) -> Outlook:
    """`to_*`: seconds until the longest job must have ended, and until the lease does.

    A budget bounds both, but for one poll.
    """
    most = math.inf if budget is None else budget.usd + bill.per_hour * poll / HOUR
    projected, worst = (
        max(bill.spent, min(most, bill.spent + bill.per_hour * max(0.0, seconds) / HOUR))
        for seconds in (to_run_time, to_lease)
    )
    return Outlook(bill.spent, min(projected, worst), worst)

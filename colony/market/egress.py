"""What it costs to move data from where they are to where they are needed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from colony.market.facts import cost_facts

__all__ = ["Where", "egress", "worst_egress"]

Where = tuple[str, str]
"""Cloud and region."""


def egress(source: Where, target: Where, gigabytes: float) -> float:
    """USD. Nothing within a region; an unknown region of the same cloud is another one."""
    if not gigabytes or (source == target and source[1]):
        return 0.0
    return _left(source[0], source[0] == target[0], gigabytes)


def worst_egress(cloud: str, gigabytes: float) -> float:
    """USD, the most that data of this cloud can cost on their way to anywhere."""
    return max(_left(cloud, True, gigabytes), _left(cloud, False, gigabytes))


@lru_cache(maxsize=65536)
def _left(cloud: str, same_cloud: bool, gigabytes: float) -> float:
    facts: dict[str, Any] = cost_facts()["egress"]
    prices = facts.get(cloud, facts["other"])
    if same_cloud:
        return round(gigabytes * float(prices["regions"]), 6)
    cost, below = 0.0, 0.0
    for limit, price in prices["internet"]:
        upper = gigabytes if limit is None else min(gigabytes, float(limit))
        cost += max(0.0, upper - below) * float(price)
        below = max(below, upper)
    return round(cost, 6)

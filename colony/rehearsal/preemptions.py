"""When a world takes spot machines away: named by pool and region, never by a count of calls. Pure.

preemptions:
  - urn: "*-l4"                    a glob of the pool's URN, as is `region`
    after: [40m, 2h]               how long its machines are there until the first, the second is
                                   taken; then no more
    back: never                    seconds until another machine is there; default: as the cloud's
                                   nodes take
    line: "*step 40*"              with --exec: when a rank prints this, that time has passed
  - per_node_hour: 0.05            by chance, from the seed; without `after` and this: as the market
                                   takes it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field, field_validator

from colony.market.costs import Spot, minutes_of
from colony.rehearsal.templates import digest
from jobs.fields import duration, duration_or_zero
from jobs.model import Strict

__all__ = ["PreemptionRule", "SpotPool", "Taking", "next_taking"]

HOUR = 3600.0
NEVER = 400 * 86400
"""Seconds: longer than anything lives."""


class PreemptionRule(Strict):
    """Which spot machines are taken, and when."""

    urn: str = "*"
    region: str = "*"
    after: list[int] = Field(default_factory=list)
    per_node_hour: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    back: int | None = Field(default=None, ge=0)
    line: str | None = None

    @field_validator("after", mode="before")
    @classmethod
    def _durations(cls, value: Any) -> list[int]:
        return [duration(each) for each in (value if isinstance(value, list) else [value])]

    @field_validator("back", mode="before")
    @classmethod
    def _back(cls, value: Any) -> Any:
        return value if value is None else NEVER if value == "never" else duration_or_zero(value)


@dataclass(frozen=True)
class SpotPool:
    """Machines that may be taken. `taken`: how often that happened already."""

    urn: str
    region: str
    cloud: str
    nodes: float
    taken: int = 0


@dataclass(frozen=True)
class Taking:
    """A machine of the pool goes `after` seconds of being there, and is `back` that much later."""

    after: float
    back: float
    line: str = ""


def next_taking(rules: Sequence[PreemptionRule], seed: int, pool: SpotPool) -> Taking | None:
    """The first that comes; None = none of its machines is taken any more."""
    found = [
        Taking(after, _back(rule, pool), rule.line or "")
        for number, rule in enumerate(rules)
        if fnmatchcase(pool.urn, rule.urn) and fnmatchcase(pool.region, rule.region)
        if (after := _after(rule, number, seed, pool)) is not None
    ]
    return min(found, key=lambda taking: taking.after, default=None)


def _after(rule: PreemptionRule, number: int, seed: int, pool: SpotPool) -> float | None:
    if rule.after:
        return float(rule.after[pool.taken]) if pool.taken < len(rule.after) else None
    each = rule.per_node_hour or Spot.known().interruptions_per_node_hour
    drawn = int(digest(seed, pool.urn, pool.region, number, "preempt", pool.taken)[:12], 16)
    return -math.log(1 - drawn / 16**12) / (each * pool.nodes) * HOUR


def _back(rule: PreemptionRule, pool: SpotPool) -> float:
    return float(rule.back) if rule.back is not None else minutes_of(pool.cloud)["nodes"] * 60

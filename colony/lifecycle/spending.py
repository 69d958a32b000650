"""What a colony has spent, and whether that ends it: `budget.py` with a ground's own figures."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from colony.lifecycle.budget import (
    HOUR,
    Bill,
    Ending,
    Outlook,
    Verdict,
    decide_budget,
    outlook,
    seconds_left,
)
from colony.lifecycle.ground import Ground, Span, records_of
from colony.market.costs import minutes_of
from components.placement import ClusterPlacement, Placement
from components.spec import Budget, ColonySpec
from jobs.errors import InputError, Problem

__all__ = [
    "Purse", "before", "bill_of", "bounded", "money_of", "purse_of", "recorded",
    "refuse_small_budget",
]  # fmt: skip

REAP = 60.0
"""Seconds between two looks of a reaper."""
LATE = 0.001
"""Seconds after the moment itself, against rounding."""


@dataclass(frozen=True)
class Purse:
    """The money of one colony: its budget, and the prices that were recorded for it."""

    ground: Ground
    stack: str
    placement: Placement
    budget: Budget | None
    ending: Ending
    since: float

    @classmethod
    def of(cls, ground: Ground, spec: ColonySpec, placement: Placement, since: float) -> Purse:
        return cls(ground, spec.name, placement, spec.budget, ending_of(spec, placement), since)

    def bill(self) -> Bill:
        spans = self.ground.spans(self.stack, self.placement, self.since)
        now = self.ground.now() - self.since
        return bill_of(spans, self.placement.price_per_hour, now)

    def verdict(self) -> Verdict:
        return (
            decide_budget(self.budget, self.bill(), self.ending) if self.budget else Verdict(None)
        )

    def seconds_left(self) -> float:
        """Until `verdict` will say that the end must begin, at today's prices."""
        if self.budget is None:
            return float("inf")
        return seconds_left(self.budget, self.bill(), self.ending) + LATE

    def outlook(self, *, run_time: float, expires: float, poll: float) -> Outlook:
        """`run_time`: of the longest job, from now; `expires`: when the lease ends."""
        return outlook(
            self.budget,
            self.bill(),
            to_run_time=run_time + self.ending.draining,
            to_lease=expires - self.ground.now() + self.ending.draining,
            poll=poll,
        )


def recorded(ground: Ground, stack: str) -> tuple[ColonySpec, Placement] | None:
    """What the stack config of a colony that is there says of it."""
    config = ground.engine.config(stack)
    if not {"colony:spec", "colony:placement"} <= set(config):
        return None
    spec = ColonySpec.model_validate(json.loads(config["colony:spec"]))
    return spec, Placement.model_validate_json(config["colony:placement"])


def purse_of(ground: Ground, stack: str) -> Purse | None:
    """By recorded prices; None where the lease or the stack config is gone."""
    lease, found = records_of(ground, stack).lease(), recorded(ground, stack)
    return Purse.of(ground, *found, float(lease.created)) if lease and found else None


def money_of(ground: Ground, stack: str) -> dict[str, Any] | None:
    """USD `spent`, `projected`, `worst`, and the `budget`, of a colony that is there."""
    lease, found = records_of(ground, stack).lease(), recorded(ground, stack)
    if lease is None or found is None:
        return None
    purse = Purse.of(ground, *found, float(lease.created))
    budget = found[0].budget
    left = min(lease.created + _longest(*found), lease.expires) - ground.now()
    seen = purse.outlook(run_time=left, expires=lease.expires, poll=REAP)
    return {**seen.to_dict(), "budget": budget.model_dump(mode="json") if budget else None}


def before(spec: ColonySpec, placement: Placement) -> Outlook:
    """The same before anything is there."""
    ending = ending_of(spec, placement)
    bill = Bill(0.0, placement.price_per_hour)
    return outlook(
        spec.budget,
        bill,
        to_run_time=min(_longest(spec, placement), spec.lifetime) + ending.draining,
        to_lease=spec.lifetime + ending.draining,
        poll=REAP,
    )


def _longest(spec: ColonySpec, placement: Placement) -> float:
    """Seconds until its jobs must have ended; the modelled minutes come before max_run_time.
    Without jobs a colony lives as long as its lease."""
    longest = max((job.max_run_time for job in spec.jobs), default=math.inf)
    return longest + starting_seconds(placement)


@contextmanager
def bounded(purse: Purse) -> Iterator[None]:
    """While entered, a spent budget interrupts the engine: an `up` takes its time.

    In a world an `up` is over at once; the watch that follows asks first of all.
    """
    left = purse.seconds_left()
    if purse.ground.simulated or left == float("inf"):
        yield
        return
    alarm = threading.Timer(max(0.0, left), purse.ground.engine.interrupt)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


def bill_of(spans: Sequence[Span], recorded_per_hour: float, now: float) -> Bill:
    """`recorded_per_hour` stands for what is not up yet; `now` is the run's second."""
    spent = sum(
        (min(span.end, now) - max(span.start, 0.0)) / HOUR * span.usd_per_hour
        for span in spans
        if min(span.end, now) > max(span.start, 0.0)
    )
    running = sum(span.usd_per_hour for span in spans if span.start <= now <= span.end)
    return Bill(spent, max(recorded_per_hour, running))


def ending_of(spec: ColonySpec, placement: Placement) -> Ending:
    """The longest of the clusters; nothing is destroyed on one that is not ours."""
    owned = [cluster for cluster in placement.clusters if cluster.cloud != "existing"]
    return Ending(float(spec.teardown.grace), max(map(_draining, owned), default=0.0))


def _draining(cluster: ClusterPlacement) -> float:
    """Seconds that would cost as much with everything running: what has accelerators goes first,
    the rest takes longer."""
    minutes, dear, rest = minutes_of(cluster.cloud), 0.0, cluster.control_plane_per_hour
    for pool in cluster.pools:
        price = pool.nodes * pool.price_per_node_hour
        dear, rest = (dear + price, rest) if pool.accelerator_count else (dear, rest + price)
    share = rest / (dear + rest) if dear + rest else 0.0
    return 60 * (minutes["draining"] + share * (minutes["rest"] - minutes["draining"]))


def starting_seconds(placement: Placement) -> float:
    """Modelled: until a job begins on nodes that are paid for."""
    owned = [cluster.cloud for cluster in placement.clusters if cluster.cloud != "existing"]
    return max(
        (sum(minutes_of(cloud)[part] for part in ("nodes", "pulling")) * 60 for cloud in owned),
        default=0.0,
    )


def refuse_small_budget(spec: ColonySpec, placement: Placement) -> None:
    """Raises InputError where the budget would be spent before a job could begin."""
    if spec.budget is None:
        return
    seconds = starting_seconds(placement) + ending_of(spec, placement).seconds(spec.budget.action)
    least = placement.price_per_hour * seconds / HOUR
    if least >= spec.budget.usd:
        message = (
            f"${spec.budget.usd:,.2f} would be spent before a job begins: to set up and to end "
            f"costs about ${least:,.2f}"
        )
        raise InputError(Problem("budget.usd", message, "raise it, or ask for less"))

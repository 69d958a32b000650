"""What a run cost and for what, and what is left. The parts sum to the total exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from colony.lifecycle.ground import Span, Thing

__all__ = ["EXIT_CODES", "PARTS", "Cost", "Marks", "Receipt", "cost_of", "worst"]

PARTS = ("provisioning", "waiting", "pulling", "running", "draining")
"""In the order of time."""

EXIT_CODES = {
    "succeeded": 0,
    "failed": 1,
    "timed_out": 1,
    "outputs_lost": 1,
    "unplaceable": 2,
    "cancelled": 130,
}
LEFT = 4


@dataclass
class Marks:
    """When each part ended, in seconds since the run began; None = it never began."""

    up: float | None = None
    admitted: float | None = None
    started: float | None = None
    ended: float | None = None

    def boundaries(self, end: float) -> list[float]:
        """The end of each of PARTS, never decreasing; a part that never began is empty."""
        marks = [self.up, self.admitted, self.started, self.ended]
        known = [mark for mark in marks if mark is not None]
        ended = known[-1] if known else end
        result, last = [], 0.0
        for mark in marks:
            last = max(last, ended if mark is None else mark)
            result.append(min(last, end))
        return [*result, end]


@dataclass(frozen=True)
class Cost:
    """USD."""

    total: float
    parts: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {"total": self.total, "parts": self.parts}


@dataclass
class Receipt:
    """The end of a colony. `to_dict` is the JSON of `run` and `rehearse`."""

    colony: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    cost: Cost = field(default_factory=lambda: Cost(0.0, dict.fromkeys(PARTS, 0.0)))
    price_per_hour: float = 0.0
    gpus: int = 0
    left: list[Thing] = field(default_factory=list)
    swept: list[Thing] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    logs: str = ""
    unfinished: str = ""
    """Why it is not proven that nothing is left: a state that is not empty, a silent inventory."""

    @property
    def exit_code(self) -> int:
        if self.left or self.unfinished:
            return LEFT
        return EXIT_CODES[self.outcome]

    def to_dict(self) -> dict[str, Any]:
        return {
            "colony": self.colony,
            "outcome": self.outcome,
            "reason": self.reason,
            "virtual_seconds": round(self.seconds, 3),
            "events": self.events,
            "cost": self.cost.to_dict(),
            "billable_left": [thing.to_dict() for thing in self.left if thing.costs],
            "also_left": [thing.to_dict() for thing in self.left if not thing.costs],
            "swept": [thing.to_dict() for thing in self.swept],
            "attempts": self.attempts,
            "jobs": self.jobs,
            "notes": self.notes,
        }


def cost_of(spans: list[Span], marks: Marks, end: float) -> Cost:
    """Splits every billed interval over the parts; each part is rounded to 0.0001 USD."""
    sums = dict.fromkeys(PARTS, 0.0)
    for span in spans:
        start = span.start
        for part, boundary in zip(PARTS, marks.boundaries(end), strict=True):
            stop = min(span.end, boundary)
            if stop > start:
                sums[part] += (stop - start) / 3600 * span.usd_per_hour
                start = stop
    parts = {part: _round(value) for part, value in sums.items()}
    return Cost(float(sum(parts.values(), Decimal(0))), {k: float(v) for k, v in parts.items()})


def worst(outcomes: list[str]) -> str:
    """Failed beats succeeded: the outcome of several jobs together."""
    for outcome in ("cancelled", "failed", "timed_out", "outputs_lost"):
        if outcome in outcomes:
            return outcome
    return "succeeded"


def _round(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.0001"), ROUND_HALF_UP)

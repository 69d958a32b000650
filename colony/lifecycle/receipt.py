"""What a run cost and for what, and what is left. The parts sum to the total exactly: seconds are
counted in whole milliseconds, and money in fractions until it is rounded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from colony.lifecycle.ground import Span, Thing
from jobs.errors import NotReady

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
HOUR = 3600
UNITS = 10_000
"""Of a dollar: what is rounded to."""


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
    """USD, to 0.0001; and the billed seconds of all things together, to 0.001."""

    total: float
    parts: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)
    billed_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "parts": self.parts,
            "seconds": self.seconds,
            "billed_seconds": self.billed_seconds,
        }


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
    failed_attempts: dict[str, float] = field(
        default_factory=lambda: {"node_seconds": 0.0, "usd": 0.0}
    )
    """What they were billed; a share of the cost, not beside it."""
    recovery: dict[str, Any] = field(default_factory=dict)
    """Each time that a job ended too early, and the work and USD that were lost with it."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    logs: str = ""
    budget: dict[str, Any] | None = None
    """What it was, and whether it ended the run."""
    unfinished: str = ""
    """Why it is not proven that nothing is left: a state that is not empty, a silent inventory."""
    timing: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The critical paths of `up` and `destroy`, where they are computed."""
    unable: bool = False
    """It failed because this machine's credentials do not work."""

    @property
    def exit_code(self) -> int:
        if self.left or self.unfinished:
            return LEFT
        if self.unable and self.outcome == "failed":
            return NotReady.exit_code
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
            "failed_attempts": self.failed_attempts,
            "recovery": self.recovery,
            "jobs": self.jobs,
            "notes": self.notes,
            **({"budget": self.budget} if self.budget else {}),
            **({"critical_path": self.timing} if self.timing else {}),
        }


def cost_of(spans: list[Span], marks: Marks, end: float) -> Cost:
    """Splits every billed interval over the parts; none is lost and none counted twice."""
    seconds = dict.fromkeys(PARTS, 0)
    usd = dict.fromkeys(PARTS, Fraction(0))
    boundaries = [_milliseconds(each) for each in marks.boundaries(end)]
    for span in spans:
        start, last = _milliseconds(span.start), _milliseconds(span.end)
        for part, boundary in zip(PARTS, boundaries, strict=True):
            lasted = max(0, min(last, boundary) - start)
            seconds[part] += lasted
            usd[part] += lasted * Fraction(str(span.usd_per_hour)) / (1000 * HOUR)
            start += lasted
    units = _shared(usd)
    return Cost(
        sum(units.values()) / UNITS,
        {part: each / UNITS for part, each in units.items()},
        {part: each / 1000 for part, each in seconds.items()},
        sum(seconds.values()) / 1000,
    )


def worst(outcomes: list[str]) -> str:
    """Failed beats succeeded: the outcome of several jobs together."""
    for outcome in ("cancelled", "failed", "timed_out", "outputs_lost"):
        if outcome in outcomes:
            return outcome
    return "succeeded"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _shared(usd: dict[str, Fraction]) -> dict[str, int]:
    """In units: the total is rounded once, and what rounding leaves goes where most was cut."""
    exact = {part: each * UNITS for part, each in usd.items()}
    units = {part: int(each) for part, each in exact.items()}
    left = int(sum(exact.values()) + Fraction(1, 2)) - sum(units.values())
    cut = sorted(exact, key=lambda part: units[part] - exact[part])
    return {part: units[part] + (part in cut[:left]) for part in units}

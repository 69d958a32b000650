"""Whether a job that did not end well starts again, and where. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from jobs.observing import states
from jobs.recovery import Recovery, Strategy
from jobs.spec import Job
from jobs.state import JobPhase, JobState

__all__ = [
    "Cause", "Interruption", "Next", "Where", "answered", "cause_of", "decide_recovery",
    "recovery_of",
]  # fmt: skip

_TAKEN = (states.PREEMPTED, states.POSSIBLE_NODE_DOWN, states.POD_MISSING)
_HOPELESS = (states.IMAGE_PULL, states.CONFIG_ISSUE, states.TIMED_OUT, states.OUTPUTS_LOST)
"""Another start would end in the same way, or lose what is there."""


class Cause(str, Enum):
    """Why the job does not run any more."""

    PREEMPTED = "preempted"
    ERROR = "error"


class Where(str, Enum):
    """`NOWHERE`: it has failed."""

    SAME = "same region"
    NEXT = "next region"
    NOWHERE = "nowhere"


@dataclass(frozen=True)
class Interruption:
    """What happened, and what happened before it."""

    cause: Cause
    exit_code: int | None = None
    errors: int = 0
    """How many starts after errors were counted already."""


@dataclass(frozen=True)
class Next:
    """What is done now. `counts`: against max_restarts_on_errors."""

    where: Where
    reason: str
    counts: bool = False

    @property
    def again(self) -> bool:
        return self.where is not Where.NOWHERE

    def to_dict(self) -> dict[str, Any]:
        return {"where": self.where.value, "reason": self.reason, "counts": self.counts}


def recovery_of(job: Job, spot: bool) -> Recovery | None:
    """The job's own, or the default where it runs on machines that may be taken. An elastic job
    replaces what it loses by itself."""
    if job.elastic is not None:
        return None
    return job.recovery or (Recovery() if spot else None)


def cause_of(state: JobState) -> Cause | None:
    """Of a job that has ended; None = nothing that another start could mend."""
    if state.phase is not JobPhase.FAILED or state.reason in _HOPELESS:
        return None
    return Cause.PREEMPTED if state.reason in _TAKEN else Cause.ERROR


def decide_recovery(
    recovery: Recovery | None,
    interruption: Interruption,
    *,
    seconds: float,
    starting: float,
    others: Sequence[object],
    same_refused: bool = False,
) -> Next:
    """`seconds`: until budget, lease or max_run_time ends the colony; `starting`: what a new start
    takes. `others`: regions that are not refused; `same_refused`: this one is.

    Without `recovery` nothing starts again.
    """
    verdict = _whether(recovery, interruption)
    if recovery is None or not verdict.again:
        return verdict
    if seconds <= starting:
        reason = f"{verdict.reason}: no time or money is left for another start"
        return Next(Where.NOWHERE, reason)
    if interruption.cause is Cause.ERROR:
        return verdict
    order = [Where.SAME] * (not same_refused)
    order.insert(0 if recovery.strategy is Strategy.EAGER_NEXT_REGION else 1, Where.NEXT)
    usable = [where for where in order if where is Where.SAME or others]
    if not usable:
        return Next(Where.NOWHERE, f"{verdict.reason}: every region is refused")
    return Next(usable[0], verdict.reason)


def answered(asked: Mapping[str, Any]) -> Next:
    """`decide_recovery` of plain values, as an incident file has them: `recovery`, `cause`,
    `exit_code`, `errors`, `seconds` (None = no bound), `starting`, `others`, `same_refused`."""
    recovery, seconds = asked["recovery"], asked["seconds"]
    return decide_recovery(
        None if recovery is None else Recovery.model_validate(recovery),
        Interruption(Cause(asked["cause"]), asked["exit_code"], asked["errors"]),
        seconds=math.inf if seconds is None else seconds,
        starting=asked["starting"],
        others=[""] * bool(asked["others"]),
        same_refused=asked["same_refused"],
    )


def _whether(recovery: Recovery | None, what: Interruption) -> Next:
    if what.cause is Cause.PREEMPTED:
        where = Where.SAME if recovery else Where.NOWHERE
        return Next(where, "machines were taken")
    code = f"exit code {what.exit_code}" if what.exit_code is not None else "an error"
    if recovery and what.exit_code in recovery.recover_on_exit_codes:
        return Next(Where.SAME, f"{code} is one to recover from")
    if recovery and what.errors < recovery.max_restarts_on_errors:
        reason = f"{code}, restart {what.errors + 1} of {recovery.max_restarts_on_errors}"
        return Next(Where.SAME, reason, counts=True)
    return Next(Where.NOWHERE, code)

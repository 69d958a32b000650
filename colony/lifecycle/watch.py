"""Watches the jobs of a colony until the last one has ended, or a bound is passed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from colony.lifecycle.ground import ClusterAccess, Ground, Tell
from colony.lifecycle.kinds import explaining, of_job, watched
from colony.lifecycle.receipt import Marks, worst
from components.placement import Placement
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.errors import ColonyError
from jobs.spec import Job
from jobs.state import JobPhase, JobState, observe

__all__ = ["POLL", "Watched", "watch"]

POLL = 5.0
"""Seconds between two looks."""
UNREACHABLE = 600.0
"""Seconds without an answer of a cluster until its jobs count as lost."""


@dataclass
class Watched:
    """How each job ended."""

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int | None] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        return worst(list(self.outcomes.values()))

    @property
    def reason(self) -> str:
        return "; ".join(f"{job}: {text}" for job, text in sorted(self.reasons.items()) if text)


@dataclass
class _Following:
    """One job under watch. Times are seconds of the run."""

    job: Job
    access: ClusterAccess
    namespace: str
    since: float
    started: float | None = None
    heard: float = 0.0
    phase: JobPhase = JobPhase.UNKNOWN
    last: JobState | None = None


def watch(
    ground: Ground,
    spec: ColonySpec,
    placement: Placement,
    access: dict[str, ClusterAccess],
    marks: Marks,
    since: float,
    *,
    cancelled: Callable[[], bool],
    tell: Tell,
) -> Watched:
    """Polls every job of `spec`; fills `marks`; returns when all have ended.

    The first failed job does not stop its neighbours; a cancel stops the watch.
    """
    watched = Watched()
    begun = ground.now() - since
    following = [
        _Following(
            job, access[placement.jobs[job.name]], namespace_of(job, spec), begun, heard=begun
        )
        for job in spec.jobs
    ]
    while following and not cancelled():
        now = ground.now() - since
        for item in list(following):
            if _look(item, now, marks, watched, tell):
                following.remove(item)
        if following:
            ground.wait(POLL)
    for item in following:
        watched.outcomes[item.job.name] = "cancelled"
    marks.ended = ground.now() - since
    return watched


def _look(item: _Following, now: float, marks: Marks, watched: Watched, tell: Tell) -> bool:
    """One look at one job; True when it is over."""
    state = _observe(item, now)
    if state.phase != item.phase:
        item.phase = state.phase
        what = f"job {item.job.name} {state.phase.value}"
        tell(f"{what}: {state.message}" if state.message else what)
        watched.events.append({"at": round(now, 3), "what": what, "urn": ""})
    _mark(item, state, now, marks)
    if state.ended:
        return _over(item, _outcome(state), state.message or state.reason, state.exit_code, watched)
    if item.started is None and now - item.since > item.job.policy.startup_timeout:
        text = f"did not start within {item.job.policy.startup_timeout} s"
        return _over(item, "failed", text, None, watched)
    if item.started is not None and now - item.started >= item.job.max_run_time:
        text = f"reached its max_run_time of {item.job.max_run_time} s"
        return _over(item, "timed_out", text, None, watched)
    return False


def _observe(item: _Following, now: float) -> JobState:
    """A cluster that does not answer says nothing about the job, until it is silent for long."""
    backend, queued = item.job.backend.value, bool(item.job.queue)
    try:
        objects = _listed(item, watched(backend))
    except ColonyError as error:
        if now - item.heard > UNREACHABLE:
            return JobState(JobPhase.LOST, "unreachable", str(error))
        return JobState(item.phase, "unreachable", str(error))
    item.heard = now
    for kind in explaining(backend, queued):
        with suppress(ColonyError):
            objects += _listed(item, [kind])
    item.last = observe(of_job(objects, item.job.name), item.job, last=item.last)
    return item.last


def _listed(item: _Following, kinds: list[str]) -> list[dict[str, Any]]:
    """Nodes are in no namespace."""
    return [
        thing
        for kind in kinds
        for thing in item.access.objects(kind, None if kind == "Node" else item.namespace)
    ]


def _mark(item: _Following, state: JobState, now: float, marks: Marks) -> None:
    """A part of the bill ends when the first job passes it."""
    if item.started is None and (state.phase is JobPhase.RUNNING or state.ended):
        item.started = now
        marks.started = now if marks.started is None else min(marks.started, now)
    queued = state.phase is JobPhase.PENDING and state.reason in ("suspended", "Preempted")
    waiting = state.phase is JobPhase.UNKNOWN or queued
    if marks.admitted is None and not waiting:
        marks.admitted = now


def _over(
    item: _Following, outcome: str, reason: str, exit_code: int | None, watched: Watched
) -> bool:
    watched.outcomes[item.job.name] = outcome
    watched.reasons[item.job.name] = "" if outcome == "succeeded" else reason
    watched.exit_codes[item.job.name] = exit_code
    return True


def _outcome(state: JobState) -> str:
    if state.phase is JobPhase.SUCCEEDED:
        return "succeeded"
    return state.reason if state.reason in ("outputs_lost", "timed_out") else "failed"

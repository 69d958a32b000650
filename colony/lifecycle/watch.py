"""Watches the jobs of a colony until the last one has ended, or a bound is passed."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from colony.lifecycle.following import Following
from colony.lifecycle.ground import ClusterAccess, Ground, Tell
from colony.lifecycle.idleness import UNUSED
from colony.lifecycle.kinds import explaining, of_job, watched
from colony.lifecycle.notices import heed
from colony.lifecycle.receipt import Marks, worst
from colony.lifecycle.recovery import Recovering
from colony.lifecycle.spending import Purse
from components.placement import Placement
from components.quota import namespace_of
from components.spec import BudgetAction, ColonySpec
from jobs.errors import ColonyError
from jobs.state import JobPhase, JobState, observe

__all__ = ["POLL", "Watched", "observed", "outcome_of", "watch"]

POLL = 5.0
"""Seconds between two looks."""
CANCELLED = "by `colony cancel`"
UNREACHABLE = 600.0
"""Seconds without an answer of a cluster until its jobs count as lost."""


@dataclass
class Watched:
    """How each job ended."""

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    exit_codes: dict[str, int | None] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    broke: BudgetAction | None = None
    """How the budget ended the watch, if it did."""

    @property
    def outcome(self) -> str:
        return worst(list(self.outcomes.values()))

    @property
    def reason(self) -> str:
        return "; ".join(f"{job}: {text}" for job, text in sorted(self.reasons.items()) if text)


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
    purse: Callable[[], Purse] | None = None,
    recovering: Recovering | None = None,
    idle: Callable[[], str] = lambda: "",
    by_hand: Callable[[], Collection[str]] = tuple,
) -> Watched:
    """Polls every job of `spec`; fills `marks`; returns when all have ended.

    The first failed job does not stop its neighbours; a cancel, a spent budget and the agents'
    `delete` (which `idle` says) stop the watch. What `by_hand` names is gone because of that.
    """
    watched = Watched()
    begun = ground.now() - since
    following = [
        Following(
            job, access[placement.jobs[job.name]], namespace_of(job, spec), begun, heard=begun
        )
        for job in spec.jobs
    ]
    look = _Look(marks, watched, tell, following, recovering, by_hand)
    while following and not cancelled():
        for item in list(following):
            if look.at(item, ground.now() - since):
                following.remove(item)
        if following and (reason := _broke(purse, watched)):
            _end_all(following, "failed", reason, watched)
        elif following and idle() == "delete":
            _end_all(following, "failed", UNUSED, watched)
        elif following:
            ground.wait(POLL, until=since + _next_bound(following, ground.now() - since, purse))
    for item in following:
        watched.outcomes[item.job.name] = "cancelled"
    marks.ended = ground.now() - since
    return watched


def _next_bound(following: list[Following], now: float, purse: Callable[[], Purse] | None) -> float:
    """Second of the run at which a job is late to start, or the budget may be passed. A world's job
    that runs is followed to its end: how long that takes is a model's, and no reason to end it."""
    bounds = [
        item.since + item.job.policy.startup_timeout + POLL
        for item in following
        if item.started is None
    ]
    money = now + purse().seconds_left() if purse else math.inf
    return min([*bounds, money])


def _broke(purse: Callable[[], Purse] | None, watched: Watched) -> str:
    """Why the budget ends it now; empty while it does not."""
    if purse is None:
        return ""
    verdict = purse().verdict()
    watched.broke = verdict.action
    return verdict.reason


def _end_all(following: list[Following], outcome: str, reason: str, watched: Watched) -> None:
    for item in following:
        _over(item, outcome, reason, None, watched)
    following.clear()


@dataclass
class _Look:
    """What one look at a job needs to know, and to write down."""

    marks: Marks
    watched: Watched
    tell: Tell
    following: list[Following]
    recovering: Recovering | None
    by_hand: Callable[[], Collection[str]]

    def at(self, item: Following, now: float) -> bool:
        """True when the job is over."""
        state = observed(item, now)
        _mark(item, state, now, self.marks)
        if state.ended:
            return self._ended(item, state, now)
        if state.phase != item.phase:
            item.phase = state.phase
            self._say(item, state.phase.value, state.message, now)
        limit = item.job.policy.startup_timeout
        if item.started is None and now - item.since > limit:
            return self._late(item, now, f"did not start within {limit} s")
        if item.started is not None and item.ran + now - item.started >= item.job.max_run_time:
            text = f"reached its max_run_time of {item.job.max_run_time} s"
            return _over(item, "timed_out", text, None, self.watched)
        return False

    def _say(self, item: Following, how: str, why: str, now: float) -> None:
        what = f"job {item.job.name} {how}"
        self.tell(f"{what}: {why}" if why else what)
        self.watched.events.append({"at": round(now, 3), "what": what, "urn": ""})

    def _ended(self, item: Following, state: JobState, now: float) -> bool:
        said = state.message or state.reason
        if state.phase is not JobPhase.SUCCEEDED and item.job.name in self.by_hand():
            self._say(item, "cancelled", CANCELLED, now)
            return _over(item, "cancelled", CANCELLED, None, self.watched)
        if self.recovering:
            why = self.recovering.again(item, state, now, self.following)
            if why is None:
                return False
            said = f"{said} ({why})" if why and why not in said else said
        self._say(item, state.phase.value, state.message, now)
        return _over(item, outcome_of(state), said, state.exit_code, self.watched)

    def _late(self, item: Following, now: float, said: str) -> bool:
        if self.recovering:
            why = self.recovering.late(item, now, self.following)
            if why is None:
                return False
            said = f"{said} ({why})" if why else said
        return _over(item, "failed", said, None, self.watched)


def observed(item: Following, now: float) -> JobState:
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
    own = of_job(objects, item.job.name)
    heed(item, own)
    item.last = observe(own, item.job, last=item.last)
    return item.last


def _listed(item: Following, kinds: list[str]) -> list[dict[str, Any]]:
    """Nodes are in no namespace."""
    return [
        thing
        for kind in kinds
        for thing in item.access.objects(kind, None if kind == "Node" else item.namespace)
    ]


def _mark(item: Following, state: JobState, now: float, marks: Marks) -> None:
    """A part of the bill ends when the first job passes it."""
    if item.started is None and (state.phase is JobPhase.RUNNING or state.ended):
        item.started = now
        marks.started = now if marks.started is None else min(marks.started, now)
    queued = state.phase is JobPhase.PENDING and state.reason in ("suspended", "Preempted")
    waiting = state.phase is JobPhase.UNKNOWN or queued
    if state.phase is JobPhase.RUNNING:
        item.waits_for_machines = False
    if marks.admitted is None and not waiting:
        marks.admitted = now


def _over(
    item: Following, outcome: str, reason: str, exit_code: int | None, watched: Watched
) -> bool:
    watched.outcomes[item.job.name] = outcome
    watched.reasons[item.job.name] = "" if outcome == "succeeded" else reason
    watched.exit_codes[item.job.name] = exit_code
    return True


def outcome_of(state: JobState) -> str:
    """Of one that has ended."""
    if state.phase is JobPhase.SUCCEEDED:
        return "succeeded"
    return state.reason if state.reason in ("outputs_lost", "timed_out") else "failed"

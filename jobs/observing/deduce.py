"""The state of a job from a view of it. The order of what is believed: see `jobs/state.py`."""

from __future__ import annotations

from dataclasses import replace

from jobs.observing import states
from jobs.observing.causes import (
    Cause,
    incurable,
    missing,
    node_down,
    unplaced,
    why_failed,
    why_taken,
)  # fmt: skip
from jobs.observing.judging import role_state
from jobs.observing.rules import job_phase
from jobs.observing.said import Engine, Said, Verdict
from jobs.observing.states import JobPhase, JobState, RoleState
from jobs.observing.view import View
from jobs.policy import RolePhase

__all__ = ["deduce"]

RUNS = {JobPhase.RUNNING: RolePhase.RUNNING, JobPhase.SUCCEEDED: RolePhase.SUCCEEDED}


def deduce(view: View, now: float | None, last: JobState | None) -> JobState:
    """`now` is seconds since 1970. None = no bound on the start is looked at."""
    if last is not None and last.phase is JobPhase.FAILED:
        return last
    said = view.said
    if said is None:
        if last is not None and last.phase is JobPhase.SUCCEEDED:
            return last
        return JobState(JobPhase.LOST, states.NO_WORKLOAD, "the job's workload does not exist")
    same = last if last is not None and last.attempt == view.attempt else None
    roles = {name: role_state(view, said, role, same) for name, role in view.roles.items()}
    state = _job(view, said, roles, now, same)
    return replace(state, roles=roles, attempt=view.attempt)


def _job(
    view: View, said: Said, roles: dict[str, RoleState], now: float | None, last: JobState | None
) -> JobState:
    return (
        _cured_by_nothing(view)
        or _controller_failed(view, said, roles, last)
        or _not_heard(said)
        or _held(view, said)
        or _pods_ended(view, said, roles, last)
        or _too_late(view, said, roles, now, last)
        or _under_way(view, said, roles, last)
    )


def _cured_by_nothing(view: View) -> JobState | None:
    cause = incurable(view)
    return _failed(cause) if cause else None


def _controller_failed(
    view: View, said: Said, roles: dict[str, RoleState], last: JobState | None
) -> JobState | None:
    """The controller's word, explained by the pods."""
    if said.verdict is not Verdict.FAILED:
        return None
    if said.too_late:
        return _failed(Cause(states.STARTUP_TIMEOUT, said.message or said.reason))
    return _failed(_explained(view, roles, last) or _unexplained(said))


def _unexplained(said: Said) -> Cause:
    if said.reason == "ValidationFailed":
        return Cause(states.CONFIG_ISSUE, said.message or said.reason)
    words = said.message or said.reason or f"the {said.engine.value} {said.name} failed"
    return Cause(states.WORKLOAD_FAILED, words)


def _not_heard(said: Said) -> JobState | None:
    if said.heard:
        return None
    text = f"the controller of {said.engine.value} has not seen it yet"
    return JobState(JobPhase.UNKNOWN, states.NO_STATUS, text)


def _held(view: View, said: Said) -> JobState | None:
    """In a queue, or suspended by hand. What was sent back into the queue comes again."""
    queued = view.queued
    if queued and queued.over and said.verdict is None:
        reason = states.TIMED_OUT if queued.timed_out else states.PREEMPTED
        return _failed(Cause(reason, queued.evicted))
    if not said.suspended or said.verdict is not None:
        return None
    if queued and queued.evicted:
        return JobState(JobPhase.PENDING, states.PREEMPTED, queued.evicted)
    words = (queued.waits_for if queued else "") or said.message
    return JobState(JobPhase.PENDING, states.SUSPENDED, words)


def _pods_ended(
    view: View, said: Said, roles: dict[str, RoleState], last: JobState | None
) -> JobState | None:
    """The job's policy over its roles; without a job, the controller's word alone."""
    phase = _ruled(view, roles, last)
    done = said.verdict is Verdict.SUCCEEDED
    decides = done or (view.job is not None and not said.restarts_left)
    if phase is RolePhase.FAILED and decides:
        return _failed(_explained(view, roles, last) or _unexplained(said))
    if done or (phase is RolePhase.SUCCEEDED and said.engine is not Engine.RAYJOB):
        return JobState(JobPhase.SUCCEEDED, states.COMPLETED, exit_code=0)
    return None


def _too_late(
    view: View, said: Said, roles: dict[str, RoleState], now: float | None, last: JobState | None
) -> JobState | None:
    """Bounds the first start only: a job that ran is bounded by its run time."""
    began = _began(view, said)
    if view.job is None or now is None or began is None or view.attempt:
        return None
    ran = last is not None and last.phase is JobPhase.RUNNING
    limit = view.job.policy.startup_timeout
    if ran or now - began <= limit or not _waits(view, roles):
        return None
    ready, expected = _ready(roles), _expected(view)
    why = unplaced(view)
    text = f"{ready} of {expected} pods ran within {limit} s"
    text = f"{text}: {why.message}" if why else text
    return _failed(Cause(states.STARTUP_TIMEOUT, text, pod=why.pod if why else ""))


def _waits(view: View, roles: dict[str, RoleState]) -> bool:
    early = (RolePhase.PENDING, RolePhase.STARTING)
    return any(role.phase in early for name, role in roles.items() if name not in view.later)


def _under_way(
    view: View, said: Said, roles: dict[str, RoleState], last: JobState | None
) -> JobState:
    message = f"{_ready(roles)} of {_expected(view)} pods run"
    started = not said.starting or (last is not None and last.phase is JobPhase.RUNNING)
    if started and _ruled(view, roles, last) is RolePhase.RUNNING:
        down = node_down(view)
        if down:
            return _because(JobPhase.RUNNING, down)
        return JobState(JobPhase.RUNNING, states.RUNNING, message)
    why = unplaced(view)
    if why:
        return _because(JobPhase.PENDING, why)
    again = said.restarting or any(role.reason == states.RESTARTING for role in roles.values())
    return JobState(JobPhase.PENDING, states.RESTARTING if again else states.STARTING, message)


def _ruled(view: View, roles: dict[str, RoleState], last: JobState | None) -> RolePhase:
    """As if a role that is started again had failed, and without those whose turn comes later."""
    phases = {
        name: RolePhase.FAILED if role.reason == states.RESTARTING else role.phase
        for name, role in roles.items()
        if role.phase is not RolePhase.PENDING or name not in view.later
    }
    before = RUNS.get(last.phase, RolePhase.PENDING) if last else RolePhase.PENDING
    failure = [[name] for name in roles]
    success: list[list[str]] = []
    if view.job is not None:
        failure = view.job.policy.failure or failure
        success = view.job.policy.success or success
    return job_phase(phases, failure, success, before)


def _explained(view: View, roles: dict[str, RoleState], last: JobState | None) -> Cause | None:
    found = why_failed(view) or why_taken(view)
    if found:
        return found
    for name, role in roles.items():
        if role.reason == states.POD_MISSING:
            return missing(view, view.roles[name])
    if last is not None and last.reason == states.PREEMPTED:
        return Cause(last.reason, last.message, pod=last.pod, node=last.node)
    return None


def _began(view: View, said: Said) -> float | None:
    """A job in a queue of Volcano's starts when its gang is placed."""
    group = view.group
    if said.engine is not Engine.VOLCANO or group is None:
        return said.began
    queued = view.job is not None and view.job.queue is not None
    return group.scheduled if queued or group.scheduled else said.began


def _failed(cause: Cause) -> JobState:
    return _because(JobPhase.FAILED, cause)


def _because(phase: JobPhase, cause: Cause) -> JobState:
    return JobState(phase, cause.reason, cause.message, cause.code, pod=cause.pod, node=cause.node)


def _ready(roles: dict[str, RoleState]) -> int:
    return sum(role.active + role.succeeded for role in roles.values())


def _expected(view: View) -> int:
    return sum(role.rule.replicas for role in view.roles.values())

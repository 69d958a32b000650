"""The state of one role: the phase rule over its pods, its controller's word, and the reason."""

from __future__ import annotations

from dataclasses import replace

from jobs.observing import states
from jobs.observing.causes import Cause, missing, node_down, unplaced, why_failed
from jobs.observing.rules import RoleRule, is_missing, role_phase
from jobs.observing.said import Said, Verdict
from jobs.observing.states import JobState, RoleState
from jobs.observing.view import RoleView, View
from jobs.policy import RolePhase

__all__ = ["role_state"]


def role_state(view: View, said: Said, role: RoleView, last: JobState | None) -> RoleState:
    """The role as it is now; `last` is the job's state before, of the same attempt."""
    before = last.roles.get(role.name) if last else None
    rule = _judged_by(role, said)
    counts = replace(role.counts, failed=role.lasting)
    stuck = before.phase if before else RolePhase.PENDING
    phase = _by_verdict(role, said, role_phase(rule, counts, stuck))
    cause = _role_cause(view, role, phase, is_missing(rule, counts, stuck))
    if phase is RolePhase.FAILED and said.restarts_left and said.verdict is None:
        phase, cause = RolePhase.STARTING, Cause(states.RESTARTING, cause.message if cause else "")
    return _state(role, phase, cause)


def _judged_by(role: RoleView, said: Said) -> RoleRule:
    """No pod is missed where someone makes new ones, or the end has cleaned them up."""
    kept = role.elastic or role.said.retries or said.restarts_left or said.suspended
    return replace(role.rule, restart=None) if kept or said.verdict else role.rule


def _by_verdict(role: RoleView, said: Said, phase: RolePhase) -> RolePhase:
    """What the controller says of the role beats what is left of its pods."""
    if said.suspended and said.verdict is None and phase is not RolePhase.SUCCEEDED:
        return RolePhase.PENDING
    if phase is RolePhase.FAILED:
        return phase
    verdict = role.said.verdict or (said.verdict if said.verdict is Verdict.SUCCEEDED else None)
    if verdict is not None:
        return RolePhase.FAILED if verdict is Verdict.FAILED else RolePhase.SUCCEEDED
    return phase if said.heard else RolePhase.PENDING


def _role_cause(view: View, role: RoleView, phase: RolePhase, gone: bool) -> Cause | None:
    if phase is RolePhase.FAILED:
        return why_failed(view, role) or (missing(view, role) if gone else None)
    if phase is RolePhase.SUCCEEDED:
        return None
    return node_down(view, role) or (
        unplaced(view, role) if phase is not RolePhase.RUNNING else None
    )


def _state(role: RoleView, phase: RolePhase, cause: Cause | None) -> RoleState:
    counts = role.counts
    return RoleState(
        phase,
        cause.reason if cause else "",
        cause.message if cause else "",
        active=counts.active,
        succeeded=counts.succeeded,
        failed=counts.failed,
        pending=counts.pending,
        unknown=counts.unknown,
        terminating=role.terminating,
    )

"""The phase rules: counts of pods -> phase of a role; phases of roles -> phase of a job.

Those of AresOperator, with three additions: a pod that ended well has run, so it counts towards
Running; a role that has ended does not keep a job from Running; and Failed is kept whatever
follows. A clause is a list of roles that must all have ended
so; one clause is enough; failed beats succeeded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.policy import Pods, Restart, RolePhase

__all__ = ["Counts", "RoleRule", "is_missing", "job_phase", "role_phase"]

Clauses = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Counts:
    """Pods of a role that are not being deleted."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    pending: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.active + self.succeeded + self.failed + self.pending + self.unknown


@dataclass(frozen=True)
class RoleRule:
    """When a role has ended. `restart` None = not known: then no pod is missed."""

    replicas: int
    failed: Pods = Pods.ANY
    succeeded: Pods = Pods.ALL
    restart: Restart | None = None


def role_phase(rule: RoleRule, counts: Counts, last: RolePhase) -> RolePhase:
    """The phase that follows `last`."""
    if last is RolePhase.FAILED or _reached(rule.failed, counts.failed, rule.replicas):
        return RolePhase.FAILED
    if _reached(rule.succeeded, counts.succeeded, rule.replicas):
        return RolePhase.SUCCEEDED
    if counts.active and counts.active + counts.succeeded >= rule.replicas:
        return RolePhase.RUNNING
    if last is RolePhase.PENDING:
        return RolePhase.STARTING if counts.total else RolePhase.PENDING
    if is_missing(rule, counts, last):
        return RolePhase.FAILED
    return last


def is_missing(rule: RoleRule, counts: Counts, last: RolePhase) -> bool:
    """Pods that ran are gone, and nobody makes new ones."""
    never = rule.restart is Restart.NEVER and last is RolePhase.RUNNING
    return never and counts.total < rule.replicas


def job_phase(
    roles: Mapping[str, RolePhase], failure: Clauses, success: Clauses, last: RolePhase
) -> RolePhase:
    """The phase that follows `last`. A role that the job does not have has not ended."""
    if last is RolePhase.FAILED or _holds(failure, roles, RolePhase.FAILED):
        return RolePhase.FAILED
    if _holds(success, roles, RolePhase.SUCCEEDED):
        return RolePhase.SUCCEEDED
    if _all_run(roles):
        return RolePhase.RUNNING
    return RolePhase.STARTING if last is RolePhase.PENDING else last


def _holds(clauses: Clauses, roles: Mapping[str, RolePhase], phase: RolePhase) -> bool:
    """An empty clause never holds."""
    return any(clause and all(roles.get(name) is phase for name in clause) for clause in clauses)


def _all_run(roles: Mapping[str, RolePhase]) -> bool:
    """A role that failed without the job is no reason to wait."""
    phases = set(roles.values())
    waiting = phases & {RolePhase.PENDING, RolePhase.STARTING}
    return RolePhase.RUNNING in phases and not waiting


def _reached(needed: Pods, ended: int, replicas: int) -> bool:
    return ended >= (replicas if needed is Pods.ALL else 1) and ended > 0

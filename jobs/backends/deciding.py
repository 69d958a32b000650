"""Which roles end a job, as far as an engine must know; jobs/state.py has the whole rule."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.member import Member
from jobs.policy import RolePhase
from jobs.spec import Job

__all__ = ["decider", "ends_by_failing", "in_workload", "ordered", "success_clauses", "waits_for"]


def in_workload(roles: Sequence[Member]) -> list[Member]:
    """All but the elastic role, whose pods the agent keeps."""
    return [role for role in roles if not role.elastic]


def ends_by_failing(job: Job, role: Member) -> bool:
    """Whether the failure of this role alone fails the job. `job` is completed."""
    return [role.name] in (job.policy.failure or [])


def success_clauses(job: Job, roles: Sequence[Member]) -> list[list[str]]:
    """The roles of each clause that the workload has."""
    names = {role.name for role in roles}
    clauses = [[name for name in clause if name in names] for clause in job.policy.success or []]
    return [clause for clause in clauses if clause]


def decider(job: Job, roles: Sequence[Member]) -> Member:
    """The role whose success ends the job, or the first of those that do together."""
    clauses = success_clauses(job, roles)
    name = clauses[0][0] if clauses else roles[0].name
    return next(role for role in roles if role.name == name)


def ordered(roles: Sequence[Member]) -> list[Member]:
    """Each after the roles that it depends on; otherwise as they were. There are no cycles."""
    found: list[Member] = []
    left = list(roles)
    while left:
        names = {role.name for role in left}
        ready = next(role for role in left if not names & {each.role for each in role.depends_on})
        found.append(ready)
        left.remove(ready)
    return found


def waits_for(role: Member, phase: RolePhase) -> list[str]:
    """The roles that must be so far."""
    return [each.role for each in role.depends_on if each.phase is phase]

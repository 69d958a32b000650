"""Cross checks of a job: roles, dependencies, policy, elasticity. Every problem with its path."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import Problem
from jobs.frameworks.base import Rules
from jobs.policy import Restart, RolePhase
from jobs.problems import did_you_mean
from jobs.role import Role
from jobs.spec import Framework, Job

__all__ = ["check", "check_roles"]

_BREAK = "nothing would ever start: `depends_on: []` waits for none"


def check_roles(job: Job, rules: Rules) -> Iterator[Problem]:
    """Which roles there are, as written: what cannot even be filled in."""
    yield from _known(job, rules)
    yield from _unknown_dependencies(job)
    yield from _unknown_in_policy(job)
    yield from _elastic(job, rules)
    yield from rules.problems(job)


def check(job: Job) -> Iterator[Problem]:
    """A completed job."""
    yield from _cycles(job.roles)
    yield from _endless(job)
    yield from _endless_dependencies(job)
    yield from _gang(job)


def _known(job: Job, rules: Rules) -> Iterator[Problem]:
    framework = job.framework.value
    for name in job.roles:
        if rules.roles and name not in rules.roles:
            hint = did_you_mean(name, rules.roles, f"its roles: {', '.join(rules.roles)}")
            yield Problem(f"roles.{name}", f"is no role of {framework}", hint)
    for name in rules.required:
        if name not in job.roles:
            yield Problem(f"roles.{name}", f"required by {framework}")
    for name in rules.single:
        if name in job.roles and job.roles[name].replicas != 1:
            message = f"must be 1, not {job.roles[name].replicas}: {framework} has one {name}"
            yield Problem(f"roles.{name}.replicas", message)


def _unknown_dependencies(job: Job) -> Iterator[Problem]:
    for name, role in job.roles.items():
        for place, other in enumerate(role.depends_on or []):
            path = f"roles.{name}.depends_on[{place}]"
            if other.role == name:
                yield Problem(path, "a role cannot wait for itself", "remove it")
            elif other.role not in job.roles:
                yield Problem(path, f"no such role: {other.role}", _nearest(other.role, job))


def _unknown_in_policy(job: Job) -> Iterator[Problem]:
    for field in ("failure", "success"):
        clauses = getattr(job.policy, field) or []
        for i, clause in enumerate(clauses):
            for j, name in enumerate(clause):
                if name not in job.roles:
                    path = f"policy.{field}[{i}][{j}]"
                    yield Problem(path, f"no such role: {name}", _nearest(name, job))


def _elastic(job: Job, rules: Rules) -> Iterator[Problem]:
    elastic = job.elastic
    if elastic is None:
        return
    if not rules.elastic:
        yield Problem("elastic", f"{job.framework.value} has a fixed number of pods", _able())
        return
    if elastic.role not in job.roles:
        message = f"no such role: {elastic.role}"
        yield Problem("elastic.role", message, _nearest(elastic.role, job))
        return
    replicas = job.roles[elastic.role].replicas
    if not elastic.min <= replicas <= elastic.max:
        path = f"roles.{elastic.role}.replicas"
        message = f"is {replicas}, outside elastic's {elastic.min} to {elastic.max}"
        yield Problem(path, message, "it is the number at the start")


def _able() -> str:
    names = (Framework.PYTORCH, Framework.HOROVOD, Framework.BAGUA)
    return f"elastic are {', '.join(name.value for name in names)}"


def _cycles(roles: dict[str, Role]) -> Iterator[Problem]:
    """Each cycle once, at the dependency that closes it."""
    done: set[str] = set()
    for name in roles:
        yield from _walk(roles, [name], done)


def _walk(roles: dict[str, Role], path: list[str], done: set[str]) -> Iterator[Problem]:
    here = path[-1]
    if here in done:
        return
    for place, other in enumerate(roles[here].depends_on or []):
        if other.role in path:
            cycle = [*path[path.index(other.role) :], other.role]
            message = f"a cycle: {' -> '.join(cycle)}"
            yield Problem(f"roles.{here}.depends_on[{place}]", message, _BREAK)
        else:
            yield from _walk(roles, [*path, other.role], done)
    done.add(here)


def _endless(job: Job) -> Iterator[Problem]:
    """A role that starts again after success never succeeds.

    Restarts without a number are fine as such: `max_run_time` bounds every job.
    """
    for i, clause in enumerate(job.policy.success or []):
        for j, name in enumerate(clause):
            if job.roles[name].restart is Restart.ALWAYS:
                path = f"policy.success[{i}][{j}]"
                message = f"can never hold: {name} has restart Always, it never ends"
                yield Problem(path, message, "use OnFailure, or leave it out")


def _endless_dependencies(job: Job) -> Iterator[Problem]:
    for name, role in job.roles.items():
        for place, other in enumerate(role.depends_on or []):
            waits = other.phase is RolePhase.SUCCEEDED
            if waits and job.roles[other.role].restart is Restart.ALWAYS:
                path = f"roles.{name}.depends_on[{place}]"
                message = f"{other.role} has restart Always and never succeeds"
                yield Problem(path, message, "use OnFailure")


def _gang(job: Job) -> Iterator[Problem]:
    pods = sum(role.replicas for role in job.roles.values())
    if job.policy.gang is not None and job.policy.gang > pods:
        message = f"is {job.policy.gang}, but the job has {pods} pods"
        yield Problem("policy.gang", message, "leave it out: all start together")


def _nearest(name: str, job: Job) -> str:
    return did_you_mean(name, job.roles, f"roles: {', '.join(job.roles)}")

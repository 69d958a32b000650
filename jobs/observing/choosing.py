"""Which of the observed objects are a job's workload: one, or one Job a role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jobs.observing.engines_kubeflow import with_jobset
from jobs.observing.said import Engine, RoleSaid, Said, Verdict
from jobs.observing.view import role_in
from jobs.spec import Job

__all__ = ["choose", "deadline_of"]


def choose(found: Iterable[Said], job: Job | None) -> Said | None:
    """None = it is gone. Without a job: whatever owns the most, the first by name."""
    free = sorted((each for each in found if not each.owned), key=lambda each: each.name)
    engine = _engine(free, job)
    mine = [each for each in free if each.engine is engine]
    if engine is Engine.JOB:
        return _together(mine, job)
    named = [each for each in mine if job is None or each.name == job.name]
    if not named:
        return None
    if engine is not Engine.TRAINJOB:
        return named[0]
    children = [each for each in found if each.engine is Engine.JOBSET]
    return with_jobset(
        named[0], next((each for each in children if each.name == named[0].name), None)
    )


def deadline_of(workload: Said | None, found: Iterable[Said]) -> str:
    """What the workload, or a Job of it, says that reached its deadline."""
    late = sorted(
        each.message or each.reason
        for each in found
        if each.timed_out and each.engine is Engine.JOB
    )
    if workload is not None and workload.timed_out:
        return workload.message or workload.reason
    return late[0] if late else ""


def _engine(free: list[Said], job: Job | None) -> Engine | None:
    if job is not None:
        return Engine(job.backend.value)
    kinds = {each.engine for each in free}
    return next((engine for engine in Engine if engine in kinds), None)


def _together(jobs: list[Said], job: Job | None) -> Said | None:
    """Several Jobs as one workload: each says how its role ended, the job's policy the rest."""
    if not jobs:
        return None
    name = job.name if job else jobs[0].name
    roles = {_role(each, name, job): next(iter(each.roles.values())) for each in jobs}
    failed = [each for each in jobs if each.verdict is Verdict.FAILED]
    open_ = [each for each in jobs if each.verdict is None]
    began = [each.began for each in jobs if each.began is not None]
    return replace(
        (failed or open_ or jobs)[0],
        name=name,
        heard=any(each.heard for each in jobs),
        verdict=_verdict(roles, bool(failed), job),
        suspended=bool(open_) and all(each.suspended for each in open_),
        began=max(began) if began else None,
        roles=roles,
    )


def _verdict(roles: dict[str, RoleSaid], failed: bool, job: Job | None) -> Verdict | None:
    if failed:
        return Verdict.FAILED if job is None else None
    elastic = job.elastic.role if job and job.elastic else None
    names = [name for name in job.roles if name != elastic] if job else list(roles)
    done = all(name in roles and roles[name].verdict is Verdict.SUCCEEDED for name in names)
    return Verdict.SUCCEEDED if done else None


def _role(said: Said, workload: str, job: Job | None) -> str:
    """By the label, else by the Job's name."""
    label = next(iter(said.roles))
    if label:
        return label
    rest = said.name.removeprefix(f"{workload}-")
    return (role_in(job.roles, rest) if job else "") or rest

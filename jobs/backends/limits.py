"""What an engine cannot say of a job (jobs/limits.yaml), refused by name rather than dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.backends.queueing import queue_of
from jobs.data import load
from jobs.errors import NotSupported, Problem
from jobs.member import Member
from jobs.policy import RolePhase
from jobs.roles import members
from jobs.spec import Backend, Job

__all__ = ["check_limits"]


def check_limits(job: Job) -> None:
    """Of a completed job. Raises NotSupported with the path of each thing."""
    roles = members(job)
    problems = [
        *(problem for role in roles for problem in _of_role(job, role)),
        *_of_job(job, roles),
    ]
    if problems:
        raise NotSupported(*problems)


def _of_role(job: Job, role: Member) -> Iterator[Problem]:
    able = _limits(job.backend)["restart"]
    if role.restart.value not in able:
        others = _others("restart", role.restart.value)
        message = f"{job.backend.value} has no pods with restart {role.restart.value}"
        hint = f"use {' or '.join(able)}" + (f", or the back end {others}" if others else "")
        yield Problem(f"roles.{role.name}.restart", message, hint)
    yield from _dependencies(job, role)


def _dependencies(job: Job, role: Member) -> Iterator[Problem]:
    limits = _limits(job.backend)
    order = limits.get("order")
    elastic = job.elastic.role if job.elastic else None
    for place, each in enumerate(role.depends_on):
        path = f"roles.{role.name}.depends_on[{place}]"
        moving = each.role == elastic or role.elastic
        if each.phase.value not in limits["phases"] or (
            each.phase is RolePhase.SUCCEEDED and moving
        ):
            message = f"{job.backend.value} cannot wait until {each.role} has succeeded"
            yield Problem(path, message, f"use the back end {_others('phases', 'Succeeded')}")
        elif order and order.get(role.name, order.get("*")) != each.role:
            ways = " and ".join(
                f"{'the others' if name == '*' else name} after {first}"
                for name, first in order.items()
            )
            yield Problem(path, f"{job.backend.value} starts {ways} only", "remove it")


def _of_job(job: Job, roles: list[Member]) -> Iterator[Problem]:
    limits = _limits(job.backend)
    pods = sum(role.replicas for role in roles)
    if job.policy.gang not in (None, pods) and "part_gang" in limits:
        hint = f"leave it out, or use the back end {_without('part_gang')}"
        yield Problem("policy.gang", limits["part_gang"], hint)
    if job.suspend and "suspend" in limits:
        yield Problem("suspend", limits["suspend"], f"use the back end {_without('suspend')}")
    if queue_of(job) and len(roles) > 1 and "queue" in limits:
        yield Problem("queue", limits["queue"], f"use the back end {_without('queue')}")
    if job.policy.backoff_limit and pods > 1 and "again" in limits:
        hint = f"use the back end {_without('again')}"
        yield Problem("policy.backoff_limit", limits["again"], hint)


def _limits(backend: Backend) -> dict[str, Any]:
    found: dict[str, Any] = load("limits.yaml")[backend.value]
    return found


def _others(field: str, value: str) -> str:
    return " or ".join(b.value for b in Backend if value in _limits(b)[field])


def _without(field: str) -> str:
    return " or ".join(b.value for b in Backend if field not in _limits(b))

"""Fills in what the user left out of a job, by the rules of its framework."""

from __future__ import annotations

from jobs.frameworks.base import Defaults, Rules
from jobs.member import gpus
from jobs.resources import Resources
from jobs.role import Dependency, Role
from jobs.spec import Job

__all__ = ["fill", "with_roles"]


def with_roles(job: Job, rules: Rules) -> Job:
    """The job with every role named; `nodes` is not yet what they add up to."""
    if job.roles:
        return job
    return job.model_copy(update={"roles": rules.roles_of(job)})


def fill(job: Job, rules: Rules) -> Job:
    """A job with roles -> the same with every field said."""
    roles = {name: _filled(job, rules, name, role) for name, role in job.roles.items()}
    policy = job.policy.model_copy(
        update={
            "success": job.policy.success or rules.success(job),
            "failure": job.policy.failure or rules.failure(job),
            "gang": job.policy.gang or _pods(roles),
        }
    )
    return job.model_copy(update={"roles": roles, "policy": policy, "nodes": _pods(roles)})


def _filled(job: Job, rules: Rules, name: str, role: Role) -> Role:
    known = rules.defaults(job, name)
    resources = role.resources or _resources(job, light=name in rules.light)
    dependencies = [Dependency(role=other) for other in known.depends_on]
    update = {
        "resources": resources,
        "processes": role.processes or _processes(job, known, resources, name in rules.light),
        "restart": role.restart or known.restart,
        "depends_on": dependencies if role.depends_on is None else role.depends_on,
        "ports": {**known.ports, **role.ports},
        "host_network": _said(role.host_network, known.host_network),
        "failed": role.failed or known.failed,
        "succeeded": role.succeeded or known.succeeded,
        "node_down_as_failed": _said(role.node_down_as_failed, known.node_down_as_failed),
        "run": known.run if role.run is None else role.run,
    }
    return role.model_copy(update=update)


def _resources(job: Job, light: bool) -> Resources:
    """A light role needs no machine of its own: it has room beside those that it serves."""
    if not light:
        return job.resources
    nothing = dict.fromkeys(("accelerators", "cpus", "memory", "instance_type"))
    return job.resources.model_copy(update=nothing)


def _processes(job: Job, known: Defaults, resources: Resources, light: bool) -> int:
    if light:
        return 1
    return job.processes_per_node or known.processes or gpus(resources)[1] or 1


def _said(given: bool | None, otherwise: bool) -> bool:
    return otherwise if given is None else given


def _pods(roles: dict[str, Role]) -> int:
    return sum(role.replicas for role in roles.values())

"""The roles of a job with everything filled in, and which of them train together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jobs.accelerators import find
from jobs.errors import InputError, Problem
from jobs.quantities import parse_accelerators
from jobs.spec import Framework, Job, Resources, Role

__all__ = ["Member", "gpus", "member", "members", "world_of"]

DEFAULT_ROLE = "worker"
ONE_WORLD = ("master", "worker")
"""Roles that are one world in a PyTorch job: Kubeflow's PyTorchJob counts the master as rank 0."""


@dataclass(frozen=True)
class Member:
    """One role: `replicas` pods (nodes) of one template. `gpus` and `processes` are per pod."""

    name: str
    replicas: int
    gpus: int
    processes: int
    resources: Resources
    envs: dict[str, str]
    gpu_resource: str = ""
    """`nvidia.com/gpu`; empty without GPUs."""
    image: str | None = None
    setup: str | None = None
    run: str | None = None


def members(job: Job) -> list[Member]:
    """Every role in the order of the file; a job without roles is one role `worker`."""
    roles = job.roles or {DEFAULT_ROLE: Role(replicas=job.nodes)}
    return [_member(job, name, role) for name, role in roles.items()]


def member(job: Job, name: str) -> Member:
    """One role by name. Raises InputError for a role that the job does not have."""
    known = {each.name: each for each in members(job)}
    if name in known:
        return known[name]
    raise InputError(Problem(f"roles.{name}", "no such role", f"roles: {', '.join(known)}"))


def world_of(job: Job, name: str) -> list[Member]:
    """The roles that share one rendezvous with this one, in rank order.

    `master` and `worker` of a PyTorch job are one world, master first; any other role is its own.
    """
    chosen = member(job, name)
    if job.framework is not Framework.PYTORCH or name not in ONE_WORLD:
        return [chosen]
    return sorted(
        (each for each in members(job) if each.name in ONE_WORLD),
        key=lambda each: ONE_WORLD.index(each.name),
    )


def gpus(resources: Resources) -> tuple[str, int]:
    """(Kubernetes resource, whole GPUs of a node): `L4:0.5` is one, Kubernetes gives no parts."""
    if not resources.accelerators:
        return "", 0
    name, count = parse_accelerators(resources.accelerators)
    found = find(name)
    return found.resource if found else "", math.ceil(count)


def _member(job: Job, name: str, role: Role) -> Member:
    resources = role.resources or job.resources
    resource, count = gpus(resources)
    return Member(
        name=name,
        replicas=role.replicas,
        gpus=count,
        processes=job.processes_per_node or count or 1,
        resources=resources,
        envs={**job.envs, **role.envs},
        gpu_resource=resource,
        image=role.image or job.image,
        setup=role.setup if role.setup is not None else job.setup,
        run=role.run if role.run is not None else job.run,
    )

"""The roles of a job with everything filled in, and which of them train together."""

from __future__ import annotations

from jobs.errors import InputError, Problem
from jobs.frameworks import team
from jobs.member import Member, gpus
from jobs.spec import Job

__all__ = ["Member", "gpus", "member", "members", "rank0", "world_of"]


def members(job: Job) -> list[Member]:
    """Every role of the completed job, in order. Raises InputError for what does not fit."""
    return list(team(job).members.values())


def member(job: Job, name: str) -> Member:
    """One role by name. Raises InputError for a role that the job does not have."""
    known = team(job).members
    if name in known:
        return known[name]
    raise InputError(Problem(f"roles.{name}", "no such role", f"roles: {', '.join(known)}"))


def world_of(job: Job, name: str) -> list[Member]:
    """The roles that share one rendezvous with this one, in rank order.

    A launcher or scheduler is told of the world that it serves, without being in it.
    """
    member(job, name)
    return team(job).world_of(name)


def rank0(job: Job) -> Member:
    """The role whose pod 0 has the ClusterIP service (`jobs.hosts.service_name`)."""
    everyone = team(job)
    return everyone.members[everyone.rank0]

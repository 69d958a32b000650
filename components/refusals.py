"""What a colony asks of its clusters that cannot be had: refused before anything is made.

Pure: no pulumi.
"""

from __future__ import annotations

from datetime import datetime

from components.clusters.abilities import facts_of, refuse_lacking
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.quota import check_queues
from components.spec import ColonySpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.quantities import format_duration
from jobs.spec import Job

__all__ = ["asked_too_much", "check_abilities", "check_asked", "check_reservations"]


def check_asked(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job], since: float
) -> None:
    """InputError, NotSupported for what a cluster with these jobs cannot have, `since` when it
    lives."""
    check_abilities(spec, placement)
    check_reservations(spec, placement, jobs, since)
    check_queues(spec, placement)


def asked_too_much(spec: ColonySpec, placement: Placement, since: float) -> list[Problem]:
    """What `check_asked` says of all clusters, for those who only look."""
    found = []
    for cluster in placement.clusters:
        jobs = [job for job in spec.jobs if placement.jobs.get(job.name) == cluster.name]
        try:
            check_asked(spec, cluster, jobs, since)
        except InputError as error:
            found += error.problems
    return list(dict.fromkeys(found))


def check_abilities(spec: ColonySpec, placement: ClusterPlacement) -> None:
    """NotSupported for every ability that the cluster's kind lacks, with the file's own path."""
    path, pools = _paths(spec, placement)
    refuse_lacking(placement, path, pools)
    if spec.idle and spec.idle.stop is not None and not facts_of(placement.cloud).abilities.stop:
        message = f"the machines of a cluster on {placement.cloud} are not ours to stop"
        raise NotSupported(Problem("idle.stop", message, "leave it out, or write `delete`"))


def check_reservations(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job], since: float
) -> None:
    """InputError for a reservation that ends before a job on it must have ended."""
    _, pools = _paths(spec, placement)
    problems = [
        Problem(f"{pools[pool.name]}.reserved_until",
                f"the reservation ends at {pool.reserved_until}, and job {job.name!r} may run for "
                f"{format_duration(job.max_run_time)}", "give the job a shorter max_run_time")
        for pool in placement.pools
        for job in jobs
        if pool.reserved_until and _uses(job, pool) and _late(job, pool.reserved_until, since)
    ]  # fmt: skip
    if problems:
        raise InputError(*problems)


def _late(job: Job, reserved_until: str, since: float) -> bool:
    ends = datetime.fromisoformat(reserved_until.replace("Z", "+00:00")).timestamp()
    return since + job.max_run_time > ends


def _uses(job: Job, pool: PoolPlacement) -> bool:
    needs = [role.resources or job.resources for role in job.roles.values()] or [job.resources]
    return any(
        (need.accelerators or "").split(":")[0] == (pool.accelerator or "") for need in needs
    )


def _paths(spec: ColonySpec, placement: ClusterPlacement) -> tuple[str, dict[str, str]]:
    """Where the cluster and its pools stand: in the file, or else in what the market placed."""
    where = f"placement.clusters.{placement.name}"
    pools = {pool.name: f"{where}.{pool.name}" for pool in placement.pools}
    for index, cluster in enumerate(spec.clusters):
        if cluster.name == placement.name:
            where = f"clusters[{index}]"
            given = {pool.name: f"{where}.pools[{i}]" for i, pool in enumerate(cluster.pools)}
            pools |= {name: path for name, path in given.items() if name in pools}
    return where, pools

"""Jobs that join a colony which is there already (`--on NAME`): its clusters, its lease, its end.

Nothing is bought and nothing else is changed: the jobs go to the first of its clusters that has
such nodes, as soon as there is room on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from colony.gate import admit_job
from colony.lifecycle.accesses import accesses_of
from colony.lifecycle.cancelled import cancelled_jobs
from colony.lifecycle.config import stack_config
from colony.lifecycle.ground import ClusterAccess, Ground, Tell, deployment_of, records_of
from colony.lifecycle.interrupts import Interrupts
from colony.lifecycle.prepare import Plan
from colony.lifecycle.provision import raise_colony
from colony.lifecycle.receipt import Marks
from colony.lifecycle.state import live_clusters
from colony.lifecycle.watch import Watched, watch
from components.lease import Lease
from components.placement import ClusterPlacement, Placement
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.errors import InputError, NoOffer, Problem
from jobs.problems import did_you_mean
from jobs.roles import members
from jobs.spec import Job

__all__ = ["join"]

MERGED = ("colony:code", "colony:secrets")
"""Config by job, of which only the new jobs' part is ours to write."""


class _Leave(Interrupts):
    """A signal ends the watching; the job goes on, and so does the colony."""

    what = "no longer watching: the job goes on"


@dataclass(frozen=True)
class _Joining:
    """The colony as it is, and with the new jobs."""

    ground: Ground
    plan: Plan
    jobs: list[Job]
    lease: Lease
    config: Mapping[str, str]

    @property
    def stack(self) -> str:
        return self.plan.spec.name


def join(
    ground: Ground, name: str, jobs: list[Job], folders: Mapping[str, Path], tell: Tell,
    *, attached: bool,
) -> Watched | None:  # fmt: skip
    """Adds the jobs; `attached`, waits for their end, which ends nothing else.

    Raises InputError (no such colony, a job of that name is there, the lease is too short),
    NoOffer (none of its clusters can hold a job), ProvisioningFailed.
    """
    joining = _read(ground, name, jobs, folders)
    _check(joining)
    accesses = _accesses(joining)
    placed = {job.name: _cluster_for(job, joining, accesses, tell) for job in joining.jobs}
    plan = replace(joining.plan, placement=_placed(joining.plan.placement, placed))
    _configure(replace(joining, plan=plan))
    raise_colony(ground, plan, tell)
    since = ground.now()
    ground.settle_up(ground.engine.export(name), since)
    return _watched(replace(joining, plan=plan), accesses, tell) if attached else None


def _read(ground: Ground, name: str, jobs: list[Job], folders: Mapping[str, Path]) -> _Joining:
    stacks, lease = ground.engine.stacks(), records_of(ground, name).lease()
    if name not in stacks or lease is None:
        hint = did_you_mean(name, stacks, "`colony status` shows what there is")
        raise InputError(Problem("--on", f"there is no colony {name}", hint))
    config = ground.engine.config(name)
    spec = ColonySpec.model_validate_json(config["colony:spec"])
    there = {job.name for job in spec.jobs}
    problems = [
        Problem(f"jobs.{job.name}", f"{name} has a job of that name", "give it another name")
        for job in jobs
        if job.name in there
    ]
    if problems:
        raise InputError(*problems)
    new = [job.model_copy(update={"colony": name}) for job in jobs]
    spec = spec.model_copy(update={"jobs": [*spec.jobs, *new]})
    placement = Placement.model_validate_json(config["colony:placement"])
    plan = Plan(spec, placement, dict(folders), lease.owner, lease.end)
    return _Joining(ground, plan, new, lease, config)


def _check(joining: _Joining) -> None:
    """A job that cannot end before the colony does would only lose its work."""
    left = int(joining.lease.expires - joining.ground.now())
    problems = [
        Problem(
            f"jobs.{job.name}.max_run_time",
            f"is {job.max_run_time} s, but the lease of {joining.stack} ends in {left} s",
            "ask for less, or use a colony of its own",
        )
        for job in joining.jobs
        if job.max_run_time > left
    ]
    if problems:
        raise InputError(*problems)


def _cluster_for(
    job: Job, joining: _Joining, accesses: Mapping[str, ClusterAccess], tell: Tell
) -> str:
    """The first with such nodes; where the nodes can be looked at, once they have room."""
    clusters = joining.plan.placement.clusters
    names = ", ".join(cluster.name for cluster in clusters)
    if job.cluster is not None and job.cluster not in {cluster.name for cluster in clusters}:
        where = f"jobs.{job.name}.cluster"
        raise InputError(Problem(where, f"is none of {joining.stack}'s", f"it has {names}"))
    for cluster in clusters:
        if job.cluster not in (None, cluster.name) or not _has_nodes(job, cluster):
            continue
        access = accesses.get(cluster.name)
        if access is not None and access.objects("Node"):
            admit_job(job, joining.plan.spec, cluster.name, access, joining.ground, tell)
        return cluster.name
    raise NoOffer(f"{job.name}: no cluster of {joining.stack} ({names}) has such nodes")


def _has_nodes(job: Job, cluster: ClusterPlacement) -> bool:
    """By what was bought; what an existing cluster has, only its nodes can say."""
    if cluster.cloud == "existing":
        return True
    return all(
        any(
            not role.gpus
            or (
                role.resources.accelerators is not None
                and pool.accelerator == role.resources.accelerators.partition(":")[0]
                and pool.accelerator_count >= role.gpus
                and pool.nodes * (pool.accelerator_count // role.gpus) >= role.replicas
            )
            for pool in cluster.pools
        )
        for role in members(job)
    )


def _placed(placement: Placement, jobs: Mapping[str, str]) -> Placement:
    return placement.model_copy(update={"jobs": {**placement.jobs, **jobs}})


def _configure(joining: _Joining) -> None:
    """Of code and secrets only the new jobs' are here; the others' stay as they are."""
    records = records_of(joining.ground, joining.stack)
    plain, hidden = stack_config(records, joining.plan, joining.lease, joining.jobs)
    for values in (plain, hidden):
        for key in MERGED:
            if key in values and joining.config.get(key):
                merged = {**json.loads(joining.config[key]), **json.loads(values[key])}
                values[key] = json.dumps(merged, sort_keys=True)
    joining.ground.engine.configure(joining.stack, plain, hidden)


def _accesses(joining: _Joining) -> dict[str, ClusterAccess]:
    deployment = deployment_of(joining.ground, joining.stack)
    return accesses_of(joining.ground, deployment)


def _watched(joining: _Joining, accesses: Mapping[str, ClusterAccess], tell: Tell) -> Watched:
    ground, plan = joining.ground, joining.plan
    only_new = plan.spec.model_copy(update={"jobs": joining.jobs})
    with _Leave(ground, tell) as interrupts:
        deployment = deployment_of(ground, joining.stack)
        ground.start_jobs(only_new, plan.placement, live_clusters(deployment))
        try:
            return watch(
                ground, only_new, plan.placement, dict(accesses), Marks(), ground.now(),
                cancelled=lambda: interrupts.cancelled, tell=tell,
                by_hand=lambda: cancelled_jobs(records_of(ground, joining.stack)),
            )  # fmt: skip
        finally:
            ground.stop_jobs()
            folder = records_of(ground, joining.stack).logs
            for job in joining.jobs:
                access = accesses[plan.placement.jobs[job.name]]
                access.keep_logs(job.name, folder / job.name, namespace_of(job, plan.spec))
            records_of(ground, joining.stack).publish("logs")

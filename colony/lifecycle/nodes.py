"""Nodes that join and leave a colony that is there, one by one.

The stack config is written first, so that whoever comes after a kill builds what was meant. What
cannot be built is taken back, and the config is as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from colony.lifecycle.ground import Ground, Tell, deployment_of, records_of
from colony.lifecycle.kinds import carries
from colony.lifecycle.node_changes import Shape
from colony.lifecycle.prepare import Plan
from colony.lifecycle.provision import raise_colony
from colony.lifecycle.state import cluster_identifiers, live_clusters
from components.lease import Lease
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import ColonyError, InputError, NotReady, Problem
from jobs.spec import Job

__all__ = ["Colony", "apply", "may_run", "opened"]

OVER = ("Complete", "Completed", "Failed", "Succeeded")
"""Conditions of a workload that nothing runs for any more."""


@dataclass(frozen=True)
class Colony:
    """One that is up, as its stack config says."""

    ground: Ground
    name: str
    lease: Lease
    shape: Shape


def opened(ground: Ground, name: str) -> Colony:
    """Raises InputError for one that is not up."""
    lease = records_of(ground, name).lease()
    if lease is None or name not in ground.engine.stacks():
        raise InputError(Problem("NAME/CLUSTER", f"{name} is not up", "`colony status` says more"))
    config = ground.engine.config(name)
    spec = ColonySpec.model_validate_json(config["colony:spec"])
    placement = Placement.model_validate_json(config["colony:placement"])
    return Colony(ground, name, lease, Shape(spec, placement))


def may_run(colony: Colony, cluster: str) -> list[Job]:
    """The jobs of a cluster that are not known to be over. Where nobody can ask, all of them."""
    where = colony.shape.placement.jobs
    jobs = [job for job in colony.shape.spec.jobs if where.get(job.name) == cluster]
    return [job for job in jobs if not _over(colony, cluster, job)]


def apply(colony: Colony, change: Callable[[Shape], Shape], tell: Tell) -> Colony:
    """One change, carried out. Raises what the engine raises, when it has been taken back."""
    from components.colony import check
    from components.inputs import ColonyArgs

    shape = change(colony.shape)
    check(ColonyArgs(spec=shape.spec, placement=shape.placement, lease=colony.lease))
    changed = Colony(colony.ground, colony.name, colony.lease, shape)
    _write(changed)
    try:
        _raise(changed, tell)
    except ColonyError:
        tell("taken back: the colony becomes what it was")
        _write(colony)
        _raise(colony, tell)
        raise
    return changed


def _raise(colony: Colony, tell: Tell) -> None:
    ground, since = colony.ground, colony.ground.now()
    shape, lease = colony.shape, colony.lease
    plan = Plan(shape.spec, shape.placement, {}, lease.owner, lease.end)
    try:
        raise_colony(ground, plan, tell)
    finally:
        ground.settle_up(ground.engine.export(colony.name), since)


def _write(colony: Colony) -> None:
    """Nothing but what changes: code, secrets and keys stay as they are."""
    spec, placement = colony.shape.spec, colony.shape.placement
    values = {
        "colony:spec": spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
        "colony:placement": placement.model_dump(mode="json", exclude_none=True),
        "colony:prices": {
            "catalog_date": placement.catalog_date,
            "usd_per_hour": placement.price_per_hour,
        },
    }
    texts = {key: json.dumps(value, sort_keys=True) for key, value in values.items()}
    colony.ground.engine.configure(colony.name, texts)


def _over(colony: Colony, cluster: str, job: Job) -> bool:
    """By the conditions of whatever carries the job's name."""
    from colony.lifecycle.kinds import watched

    ground = colony.ground
    deployment = deployment_of(ground, colony.name)
    identifier = cluster_identifiers(deployment).get(cluster)
    live = next((c for c in live_clusters(deployment) if c.identifier == identifier), None)
    if live is None:
        return False
    try:
        found = ground.cluster(live).objects(watched(job.backend)[0])
    except (ColonyError, NotReady):
        return False
    mine = [each for each in found if carries(each, job.name)]
    return bool(mine) and all(_ended(each) for each in mine)


def _ended(workload: dict[str, object]) -> bool:
    status = workload.get("status")
    conditions = (status.get("conditions") or []) if isinstance(status, dict) else []
    return any(c.get("type") in OVER and c.get("status") == "True" for c in conditions)

"""Everything before the first resource: plan, checks, lease, records, stack config."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from colony.lifecycle.config import stack_config
from colony.lifecycle.ground import Ground, records_of
from colony.lifecycle.teardown import ALL, Safeties
from components.lease import Lease
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import InputError

__all__ = ["Plan", "make_lease", "prepare", "prepare_again"]


@dataclass(frozen=True)
class Plan:
    """All that a run needs to know, decided before anything is created."""

    spec: ColonySpec
    placement: Placement
    folders: dict[str, Path]
    """By job: where its relative `workdir` starts."""
    owner: str
    end: str
    """The command that ends the colony, for the lease."""
    kubeconfigs: dict[str, str] = field(default_factory=dict, repr=False)
    """Of existing clusters, by name."""


def prepare(ground: Ground, plan: Plan, *, safeties: Safeties, attached: bool) -> Lease:
    """Lease before spend: records and config are written; nothing billable exists yet.

    Raises InputError for what the components would refuse, and for a name that is taken.
    """
    from components.colony import check
    from components.inputs import ColonyArgs

    stack = plan.spec.name
    records = records_of(ground, stack)
    lease = make_lease(plan, ground.now())
    check(ColonyArgs(spec=plan.spec, placement=plan.placement, lease=lease))
    if not ground.engine.select(stack):
        ways = f"`--on {stack}` joins it, `colony down {stack}` ends it"
        raise InputError(
            f"a colony named {stack} exists already: `colony status {stack}` shows it, {ways}"
        )
    records.remove("completion", "receipt")
    records.write("clusters", _where(plan.placement))
    if safeties.lease:
        records.write("lease", lease.model_dump(mode="json"))
    if attached:
        records.write("runner", _myself())
        ground.announce(_myself())
    _configure(ground, plan, lease)
    return lease


def prepare_again(ground: Ground, plan: Plan) -> Plan:
    """`up`: a colony that exists keeps its lease and, for the same jobs and clusters, the
    placement and price that were recorded; what was priced is what is provisioned."""
    stack = plan.spec.name
    records = records_of(ground, stack)
    lease = records.lease()
    if stack not in ground.engine.stacks() or lease is None:
        prepare(ground, plan, safeties=ALL, attached=False)
        return plan
    recorded = ground.engine.config(stack).get("colony:placement")
    if recorded and _covers(known := Placement.model_validate_json(recorded), plan.placement):
        plan = replace(plan, placement=known)
    _configure(ground, plan, lease)
    return plan


def make_lease(plan: Plan, now: float) -> Lease:
    """Expiry, budget and owner as they will stand on every billable resource."""
    spec = plan.spec
    return Lease(
        colony=spec.name,
        stack=spec.name,
        owner=plan.owner,
        created=int(now),
        expires=int(now) + spec.lifetime,
        budget_usd=spec.budget.usd if spec.budget else None,
        end=plan.end,
    )


def _configure(ground: Ground, plan: Plan, lease: Lease) -> None:
    """Writes the placement and the recorded price into the stack config, once."""
    plain, secrets = stack_config(records_of(ground, plan.spec.name), plan, lease)
    ground.engine.configure(plan.spec.name, plain, secrets)


def _covers(recorded: Placement, wanted: Placement) -> bool:
    """The same clusters, jobs and needs, at whatever price."""

    def shape(placement: Placement) -> Any:
        return placement.jobs, [
            (each.name, sorted((p.accelerator or "", p.accelerator_count, p.nodes, p.spot)
                               for p in each.pools))
            for each in placement.clusters
        ]  # fmt: skip

    return bool(shape(recorded) == shape(wanted))


def _where(placement: Placement) -> dict[str, Any]:
    """Where a sweep must look; the names come once the clusters exist."""
    owned = [cluster for cluster in placement.clusters if cluster.cloud != "existing"]
    return {"names": [], "places": sorted({(each.cloud, each.region) for each in owned})}


def _myself() -> dict[str, Any]:
    process = psutil.Process(os.getpid())
    return {"pid": process.pid, "host": socket.gethostname(), "started": process.create_time()}

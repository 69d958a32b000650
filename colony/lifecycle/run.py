"""A colony's life: lease → up → watch → completion → logs → destroy → sweep → receipt.

However it goes (success, failure, cancel, timeout, no capacity), it ends in `end_colony`.
"""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from colony.lifecycle.events import describe, tell_events
from colony.lifecycle.ground import ClusterAccess, Ground, Tell, records_of
from colony.lifecycle.interrupts import Interrupts
from colony.lifecycle.receipt import Marks, Receipt, cost_of
from colony.lifecycle.state import cluster_identifiers, live_clusters
from colony.lifecycle.teardown import ALL, Ended, Safeties, end_colony
from colony.lifecycle.watch import Watched, watch
from components.lease import Lease
from components.placement import Placement
from components.spec import ColonySpec, TeardownWhen
from jobs.errors import Cancelled, InputError, ProvisioningFailed, RunFailed

__all__ = ["Plan", "make_lease", "prepare", "prepare_again", "raise_colony", "run"]


DONE = {"create": "created", "update": "updated", "replace": "replaced"}


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


@dataclass
class _Life:
    """One run under way."""

    ground: Ground
    plan: Plan
    tell: Tell
    interrupts: Interrupts
    since: float
    marks: Marks = field(default_factory=Marks)
    events: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    state: Mapping[str, Any] | None = None
    """After `up`; None while nobody has asked."""

    @property
    def stack(self) -> str:
        return self.plan.spec.name

    def elapsed(self) -> float:
        return self.ground.now() - self.since


def run(ground: Ground, plan: Plan, tell: Tell, *, safeties: Safeties = ALL) -> Receipt:
    """Lives the whole life, and returns its receipt. Never leaves without trying to destroy.

    Raises InputError, before anything is created, when the colony exists already.
    """
    with Interrupts(ground, tell) as interrupts:
        life = _Life(ground, plan, tell, interrupts, ground.now())
        prepare(ground, plan, safeties=safeties, attached=True)
        watched = _survived(life)
        return _finish(life, watched, safeties)


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
        hint = f"`colony status {stack}` shows it, `colony down {stack}` ends it"
        raise InputError(f"a colony named {stack} exists already: {hint}")
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


def raise_colony(ground: Ground, plan: Plan, tell: Tell) -> None:
    """`up` by the real engine. Raises ProvisioningFailed with the provider's words by URN.

    A world's lines come afterwards, when its time has been computed.
    """
    from components.program import build

    on_event = None if ground.simulated else partial(_told, tell)
    ground.engine.up(plan.spec.name, build, on_event=on_event)


def _survived(life: _Life) -> Watched:
    """Whatever goes wrong from here on, even in our own code, the destroy follows."""
    try:
        return _up_and_watch(life)
    except Exception as error:
        folder = records_of(life.ground, life.stack).folder
        (folder / "error.txt").write_text(traceback.format_exc())
        outcome = "cancelled" if life.interrupts.cancelled else "failed"
        reason = f"{type(error).__name__}: {error} (see {folder / 'error.txt'})"
        names = _names(life)
        return Watched(dict.fromkeys(names, outcome), {names[0]: reason})


def _up_and_watch(life: _Life) -> Watched:
    failed: RunFailed | Cancelled | None = None
    try:
        raise_colony(life.ground, life.plan, life.tell)
    except (ProvisioningFailed, Cancelled) as error:
        failed = error
    deployment = life.ground.engine.export(life.stack, secrets=not life.ground.simulated)
    life.state = deployment
    life.events += _settled(life, deployment)
    life.marks.up = life.elapsed()
    life.attempts.append(_attempt(life.plan.placement, failed))
    names = _names(life)
    if life.interrupts.cancelled:
        return Watched(dict.fromkeys(names, "cancelled"))
    if failed:
        return Watched(dict.fromkeys(names, "failed"), {names[0]: str(failed)})
    return _watch(life, deployment)


def _settled(life: _Life, deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    events = life.ground.settle_up(deployment, life.since)
    if life.ground.simulated:
        tell_events(life.tell, events)
    return events


def _watch(life: _Life, deployment: Mapping[str, Any]) -> Watched:
    ground, spec = life.ground, life.plan.spec
    accesses = _accesses(life, deployment)
    ground.start_jobs(spec, live_clusters(deployment))
    try:
        return watch(
            ground,
            spec,
            life.plan.placement,
            accesses,
            life.marks,
            life.since,
            cancelled=lambda: life.interrupts.cancelled,
            tell=life.tell,
        )
    finally:
        ground.stop_jobs()
        _keep_logs(life, accesses)


def _accesses(life: _Life, deployment: Mapping[str, Any]) -> dict[str, ClusterAccess]:
    """By the placement's cluster name."""
    live = {cluster.identifier: cluster for cluster in live_clusters(deployment)}
    named = cluster_identifiers(deployment)
    return {
        name: life.ground.cluster(live[identifier])
        for name, identifier in named.items()
        if identifier in live
    }


def _keep_logs(life: _Life, accesses: dict[str, ClusterAccess]) -> None:
    folder = records_of(life.ground, life.stack).logs
    for job in life.plan.spec.jobs:
        accesses[life.plan.placement.jobs[job.name]].keep_logs(job.name, folder / job.name)


def _finish(life: _Life, watched: Watched, safeties: Safeties) -> Receipt:
    ground, records = life.ground, records_of(life.ground, life.stack)
    life.interrupts.ending = True
    life.events += watched.events
    outcome = watched.outcome
    keep = _keeps(life.plan.spec, outcome)
    completion = {"outcome": outcome, "at": ground.now(), "jobs": watched.outcomes, "keep": keep}
    records.write("completion", completion)
    life.tell(f"outcome: {outcome}" + (f" ({watched.reason})" if watched.reason else ""))
    if keep:
        life.tell(f"kept, as its teardown policy says; `colony down {life.stack}` ends it")
        ended = Ended(left=ground.inventory(life.stack, []))
    else:
        ended = end_colony(
            ground, life.stack, life.tell, since=life.since, safeties=safeties, state=life.state
        )
    return _receipt(life, watched, ended)


def _receipt(life: _Life, watched: Watched, ended: Ended) -> Receipt:
    ground, spec = life.ground, life.plan.spec
    records = records_of(ground, life.stack)
    spans = ground.spans(life.plan.placement, life.since)
    seconds = life.elapsed()
    receipt = Receipt(
        colony=spec.name,
        outcome=watched.outcome,
        reason=watched.reason,
        seconds=seconds,
        events=sorted(life.events + ended.events, key=lambda e: (e["at"], e["urn"], e["what"])),
        cost=cost_of(spans, life.marks, seconds),
        price_per_hour=life.plan.placement.price_per_hour,
        left=ended.left,
        swept=ended.swept,
        attempts=life.attempts,
        jobs=_job_lines(watched),
        notes=ended.notes,
        logs=str(records.logs) if records.logs.is_dir() else "",
        unfinished="" if _keeps(spec, watched.outcome) else ended.doubt,
    )
    ground.charge(spans, life.since)
    records.write("receipt", {**receipt.to_dict(), "clean": ended.clean})
    records.remove("runner")
    return receipt


def _configure(ground: Ground, plan: Plan, lease: Lease) -> None:
    """Writes the placement and the recorded price into the stack config, once."""
    from colony.lifecycle.config import stack_config

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


def _keeps(spec: ColonySpec, outcome: str) -> bool:
    when = spec.teardown.when
    if when is TeardownWhen.NEVER:
        return True
    if when is TeardownWhen.SUCCESS:
        return outcome != "succeeded"
    return when is TeardownWhen.FAILURE and outcome == "succeeded"


def _attempt(placement: Placement, failed: Exception | None) -> dict[str, Any]:
    where = [f"{cluster.cloud}/{cluster.region}" for cluster in placement.clusters]
    reason = str(failed) if failed else ""
    return {"where": where, "result": "failed" if failed else "provisioned", "reason": reason}


def _job_lines(watched: Watched) -> dict[str, dict[str, Any]]:
    return {
        job: {
            "outcome": outcome,
            "reason": watched.reasons.get(job, ""),
            "exit_code": watched.exit_codes.get(job),
        }
        for job, outcome in sorted(watched.outcomes.items())
    }


def _names(life: _Life) -> list[str]:
    return [job.name for job in life.plan.spec.jobs] or [life.stack]


def _myself() -> dict[str, Any]:
    process = psutil.Process(os.getpid())
    return {"pid": process.pid, "host": socket.gethostname(), "started": process.create_time()}


def _told(tell: Tell, event: Any) -> None:
    """One line a resource that has come up."""
    outputs = getattr(event, "res_outputs_event", None)
    if outputs is None or outputs.metadata.op.value not in DONE:
        return
    line = describe(DONE[outputs.metadata.op.value], outputs.metadata.urn)
    if line:
        tell(line)

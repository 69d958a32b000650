"""A colony's life: lease → up → watch → completion → logs → destroy → sweep → receipt.

However it goes (success, failure, cancel, timeout, no capacity), it ends in `end_colony`.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from colony.lifecycle.admission import wait_for_room
from colony.lifecycle.events import describe, tell_events
from colony.lifecycle.ground import ClusterAccess, Ground, Tell, records_of
from colony.lifecycle.interrupts import Interrupts
from colony.lifecycle.prepare import Plan, prepare
from colony.lifecycle.receipt import Marks, Receipt, cost_of
from colony.lifecycle.state import cluster_identifiers, live_clusters
from colony.lifecycle.teardown import ALL, Ended, Safeties, end_colony
from colony.lifecycle.watch import Watched, watch
from components.placement import Placement
from components.quota import namespace_of
from components.spec import ColonySpec, TeardownWhen
from jobs.errors import Cancelled, ProvisioningFailed, RunFailed

__all__ = ["keeps", "raise_colony", "run"]


GRACE_STEP = 1.0
"""Seconds."""
DONE = {"create": "created", "update": "updated", "replace": "replaced"}


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

    Raises, before anything is created, InputError when the colony exists already, and NoOffer
    when an existing cluster can never hold a job.
    """
    with Interrupts(ground, tell) as interrupts:
        life = _Life(ground, plan, tell, interrupts, ground.now())
        wait_for_room(ground, plan, tell)
        prepare(ground, plan, safeties=safeties, attached=True)
        watched = _survived(life)
        return _finish(life, watched, safeties)


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
        access = accesses[life.plan.placement.jobs[job.name]]
        access.keep_logs(job.name, folder / job.name, namespace_of(job, life.plan.spec))


def _finish(life: _Life, watched: Watched, safeties: Safeties) -> Receipt:
    """From the completion record on nothing but the teardown policy keeps the colony alive."""
    ground, records = life.ground, records_of(life.ground, life.stack)
    life.events += watched.events
    outcome = watched.outcome
    life.tell(f"outcome: {outcome}" + (f" ({watched.reason})" if watched.reason else ""))
    keep = keeps(life.plan.spec, outcome)
    completion = {"outcome": outcome, "at": ground.now(), "jobs": watched.outcomes, "keep": keep}
    records.write("completion", completion)
    if keep:
        return _receipt(life, watched, _kept(life, outcome))
    if life.marks.started is not None and not life.interrupts.cancelled:
        _grace(life)
    life.interrupts.ending = True
    ended = end_colony(
        ground, life.stack, life.tell, since=life.since, safeties=safeties, state=life.state
    )
    return _receipt(life, watched, ended)


def keeps(spec: ColonySpec, outcome: str) -> bool:
    """Whether the colony outlives its run; a cancel always ends it."""
    teardown = spec.teardown
    if outcome == "cancelled":
        return False
    if outcome != "succeeded" and teardown.keep_on_failure:
        return True
    if teardown.when is TeardownWhen.SUCCESS:
        return outcome != "succeeded"
    if teardown.when is TeardownWhen.FAILURE:
        return outcome == "succeeded"
    return teardown.when is TeardownWhen.NEVER


def _kept(life: _Life, outcome: str) -> Ended:
    """The lease still bounds it; a window for debugging makes the lease shorter."""
    records = records_of(life.ground, life.stack)
    lease, window = records.lease(), life.plan.spec.teardown.keep_on_failure
    if lease and window and outcome != "succeeded":
        expires = min(lease.expires, int(life.ground.now()) + window)
        lease = lease.model_copy(update={"expires": expires})
        records.write("lease", lease.model_dump(mode="json"))
    left = f" within {lease.expires - life.ground.now():.0f} s" if lease else ""
    life.tell(
        f"kept, as its teardown policy says: `colony reap` ends it{left}, {life.plan.end} now"
    )
    return Ended(left=life.ground.inventory(life.stack, []))


def _grace(life: _Life) -> None:
    """Between the last job's end and the destroy; a signal ends it early."""
    until = life.ground.now() + life.plan.spec.teardown.grace
    while (left := until - life.ground.now()) > 0 and not life.interrupts.cancelled:
        life.ground.wait(min(GRACE_STEP, left))


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
        unfinished="" if keeps(spec, watched.outcome) else ended.doubt,
    )
    ground.charge(spans, life.since)
    records.write("receipt", {**receipt.to_dict(), "clean": ended.clean})
    records.remove("runner")
    return receipt


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


def _told(tell: Tell, event: Any) -> None:
    """One line a resource that has come up."""
    outputs = getattr(event, "res_outputs_event", None)
    if outputs is None or outputs.metadata.op.value not in DONE:
        return
    line = describe(DONE[outputs.metadata.op.value], outputs.metadata.urn)
    if line:
        tell(line)

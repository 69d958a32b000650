"""A colony's life: lease → up → watch → completion → logs → destroy → sweep → receipt.

However it goes (success, failure, cancel, timeout, no capacity), it ends in `end_colony`.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from colony.command import CliFailed
from colony.lifecycle.accesses import accesses_of
from colony.lifecycle.admission import wait_for_room
from colony.lifecycle.attempts import Attempts
from colony.lifecycle.cancelled import cancelled_jobs
from colony.lifecycle.drain import drain
from colony.lifecycle.existing_layers import find_layers
from colony.lifecycle.ground import ClusterAccess, Ground, Tell, records_of
from colony.lifecycle.idleness import signal_of
from colony.lifecycle.incident import FILE, Incident
from colony.lifecycle.interrupts import Interrupts
from colony.lifecycle.keeping import keeps
from colony.lifecycle.leases import kept_until
from colony.lifecycle.logbook import log, log_end
from colony.lifecycle.prepare import Plan, prepare
from colony.lifecycle.provision import provision
from colony.lifecycle.receipt import Marks, Receipt, cost_of
from colony.lifecycle.recovery import Lives, Recovering
from colony.lifecycle.spending import Purse, refuse_small_budget
from colony.lifecycle.state import cluster_identifiers, live_clusters
from colony.lifecycle.stopping import stop_jobs
from colony.lifecycle.teardown import ALL, Ended, Safeties, end_colony
from colony.lifecycle.watch import Watched, watch
from colony.market.decision import Decision
from colony.market.settle import Settled
from colony.storage.base import Unavailable, Unproven
from components.quota import namespace_of
from components.spec import BudgetAction

__all__ = ["run"]


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
    attempts: Attempts = field(default_factory=Attempts)
    lives: Lives = field(default_factory=Lives)
    accesses: dict[str, ClusterAccess] = field(default_factory=dict)
    incident: Incident | None = None
    unable: bool = False
    state: Mapping[str, Any] | None = None
    """After `up`; None while nobody has asked."""

    @property
    def stack(self) -> str:
        return self.plan.spec.name

    def elapsed(self) -> float:
        return self.ground.now() - self.since

    def purse(self) -> Purse:
        """By the prices of where it is now."""
        return Purse.of(self.ground, self.plan.spec, self.plan.placement, self.since)


def run(ground: Ground, plan: Plan, tell: Tell, *, safeties: Safeties = ALL) -> Receipt:
    """Lives the whole life, and returns its receipt. Never leaves without trying to destroy.

    Raises, before anything is created, InputError when the colony exists already or its budget
    does not even pay for its beginning, and NoOffer when an existing cluster can never hold a job.
    """
    refuse_small_budget(plan.spec, plan.placement)
    with Interrupts(ground, tell) as interrupts:
        plan = find_layers(ground, plan, tell)
        life = _Life(ground, plan, tell, interrupts, ground.now())
        wait_for_room(ground, plan, tell)
        prepare(ground, plan, safeties=safeties, attached=True)
        watched = _survived(life)
        try:
            return _finish(life, watched, safeties)
        except (Unavailable, CliFailed) as error:
            hint = f"it may be left and cost; `{plan.end}` goes on, `colony reap` does by its lease"
            raise Unproven(f"{life.stack} was not ended: {error}: {hint}") from error


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
    life.incident = Incident(records_of(life.ground, life.stack))
    done = provision(
        life.ground, life.plan, life.tell, since=life.since, incident=life.incident,
        attempts=life.attempts, cancelled=lambda: life.interrupts.cancelled,
    )  # fmt: skip
    life.plan, life.unable = done.plan, done.unable
    life.state = done.deployment
    life.events += done.events
    life.marks.up = life.elapsed()
    names = _names(life)
    if life.interrupts.cancelled:
        return Watched(dict.fromkeys(names, "cancelled"))
    if done.failed:
        reasons, broke = {names[0]: str(done.failed)}, done.broke.action
        return Watched(dict.fromkeys(names, "failed"), reasons, broke=broke)
    return _watch(life, done.deployment)


def _watch(life: _Life, deployment: Mapping[str, Any]) -> Watched:
    ground, spec = life.ground, life.plan.spec
    life.accesses = accesses_of(ground, deployment)
    ground.start_jobs(spec, life.plan.placement, live_clusters(deployment))
    try:
        watched = watch(
            ground,
            spec,
            life.plan.placement,
            life.accesses,
            life.marks,
            life.since,
            cancelled=lambda: life.interrupts.cancelled,
            tell=life.tell,
            purse=life.purse,
            recovering=_recovering(life),
            idle=lambda: signal_of(life.accesses.values(), spec),
            by_hand=lambda: cancelled_jobs(records_of(ground, life.stack)),
        )
        _stop_spending(life, watched, life.accesses)
        return watched
    finally:
        ground.stop_jobs()
        _keep_logs(life, life.accesses)


def _recovering(life: _Life) -> Recovering:
    lease = records_of(life.ground, life.stack).lease()
    return Recovering(
        life.ground,
        life.tell,
        life.since,
        lease.expires if lease else life.since + life.plan.spec.lifetime,
        placement=lambda: life.plan.placement,
        purse=life.purse,
        lives=life.lives,
        state=lambda: life.ground.engine.export(life.stack, secrets=True),
        market=lambda cluster: _other_region(life, cluster),
        elsewhere=lambda cluster, decision: _elsewhere(life, cluster, decision),
        incident=life.incident,
    )


def _other_region(life: _Life, cluster: str) -> Decision | None:
    failover, now = life.plan.failover, life.ground.now()
    if failover is None:
        return None
    decision = failover.taken(Settled(life.plan.spec, life.plan.placement), cluster, now)
    if life.incident:
        life.incident.taken(now, cluster, decision)
    return decision


def _elsewhere(life: _Life, cluster: str, decision: Decision) -> dict[str, ClusterAccess]:
    """Leaves the cluster as the end of a colony would, and comes up where the market says."""
    assert life.incident is not None and life.state is not None
    identifier = cluster_identifiers(life.state).get(cluster, "")
    life.ground.stop_jobs(cluster=identifier)
    _keep_logs(life, life.accesses)
    left = [each for each in live_clusters(life.state) if each.identifier == identifier]
    for note in drain(life.ground, left, life.tell):
        life.tell(note)
    done = provision(
        life.ground, life.plan, life.tell, since=life.since, incident=life.incident,
        attempts=life.attempts, cancelled=lambda: life.interrupts.cancelled, first=decision,
    )  # fmt: skip
    life.plan, life.unable, life.state = done.plan, done.unable, done.deployment
    life.events += done.events
    if done.failed:
        raise done.failed
    life.accesses = accesses_of(life.ground, done.deployment)
    life.ground.start_jobs(life.plan.spec, life.plan.placement, live_clusters(done.deployment))
    return {job: life.accesses[name] for job, name in life.plan.placement.jobs.items()}


def _stop_spending(life: _Life, watched: Watched, accesses: dict[str, ClusterAccess]) -> None:
    """`drain`: SIGTERM and the grace for a last checkpoint; `kill`: neither."""
    if watched.broke is BudgetAction.DRAIN:
        life.ground.stop_jobs()
        _keep_logs(life, accesses)
        jobs = life.plan.placement.jobs
        stop_jobs(
            life.ground, life.plan.spec, {job: accesses[name] for job, name in jobs.items()},
            life.tell,
        )  # fmt: skip
    elif watched.broke is BudgetAction.KILL:
        life.ground.stop_jobs(at_once=True)


def _keep_logs(life: _Life, accesses: dict[str, ClusterAccess]) -> None:
    folder = records_of(life.ground, life.stack).logs
    for job in life.plan.spec.jobs:
        access = accesses.get(life.plan.placement.jobs[job.name])
        if access is None:  # its cluster did not come up elsewhere
            continue
        access.keep_logs(job.name, folder / job.name, namespace_of(job, life.plan.spec))


def _finish(life: _Life, watched: Watched, safeties: Safeties) -> Receipt:
    """From the completion record on nothing but the teardown policy keeps the colony alive."""
    ground, records = life.ground, records_of(life.ground, life.stack)
    life.events += watched.events + life.lives.events
    outcome = watched.outcome
    life.tell(f"outcome: {outcome}" + (f" ({watched.reason})" if watched.reason else ""))
    keep = keeps(life.plan.spec, outcome) and not watched.broke
    completion = {"outcome": outcome, "at": ground.now(), "jobs": watched.outcomes, "keep": keep,
                  "reason": watched.reason, "marks": asdict(life.marks)}  # fmt: skip
    try:
        records.write("completion", completion)
    except Unavailable as error:  # the end comes first
        life.tell(f"its completion could not be recorded: {error}")
    log(ground, life.stack, "completed", outcome=outcome, reason=watched.reason)
    if _stays(life, watched):
        return _receipt(life, watched, _kept(life, outcome))
    life.interrupts.ending = True
    log(ground, life.stack, "ending", by="run", reason=f"its jobs are done: {outcome}")
    ended = end_colony(
        ground, life.stack, life.tell, since=life.since, safeties=safeties, state=life.state
    )
    return _receipt(life, watched, ended)


def _stays(life: _Life, watched: Watched) -> bool:
    """By its teardown policy, or because somebody asked with `colony keep`."""
    if watched.broke or watched.outcome == "cancelled":
        return False
    held = kept_until(records_of(life.ground, life.stack)) > life.ground.now()
    return held or keeps(life.plan.spec, watched.outcome)


def _kept(life: _Life, outcome: str) -> Ended:
    """The lease still bounds it; a window for debugging makes the lease shorter."""
    records = records_of(life.ground, life.stack)
    lease, window = records.lease(), life.plan.spec.teardown.keep_on_failure
    held = kept_until(records)
    if lease and window and outcome != "succeeded":
        expires = min(lease.expires, max(int(life.ground.now()) + window, int(held)))
        lease = lease.model_copy(update={"expires": expires})
        records.write("lease", lease.model_dump(mode="json"))
    until = lease.expires if lease and keeps(life.plan.spec, outcome) else held
    left = f" within {until - life.ground.now():.0f} s" if until else ""
    log(life.ground, life.stack, "kept", until=int(until))
    life.tell(f"kept: `colony reap` ends it{left}, `{life.plan.end}` now")
    return Ended(left=life.ground.inventory(life.stack, []))


def _receipt(life: _Life, watched: Watched, ended: Ended) -> Receipt:
    ground, spec = life.ground, life.plan.spec
    records = records_of(ground, life.stack)
    spans = life.attempts.spans(ground, life.stack, life.plan.placement, life.since)
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
        attempts=life.attempts.lines(spans, life.stack),
        failed_attempts=life.attempts.wasted(spans, life.stack),
        timing=ground.timing,
        recovery=life.lives.to_dict(),
        unable=life.unable,
        jobs=_job_lines(watched),
        notes=ended.notes,
        logs=str(records.logs) if records.logs.is_dir() else "",
        unfinished="" if _stays(life, watched) else ended.doubt,
        budget=_budget_line(life, watched),
    )
    ground.charge(life.stack, spans, life.since)
    records.write_receipt({**receipt.to_dict(), "clean": ended.clean})
    records.publish("logs", "error.txt")
    if not _stays(life, watched):
        log_end(ground, life.stack, receipt)
    if life.incident:
        life.incident.ended(ground.now(), receipt)
        records.publish(FILE)
    records.remove("runner")
    return receipt


def _budget_line(life: _Life, watched: Watched) -> dict[str, Any] | None:
    budget = life.plan.spec.budget
    if budget is None:
        return None
    ended = watched.broke.value if watched.broke else None
    return {"usd": budget.usd, "action": budget.action.value, "ended_by": ended}


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

"""The reaper: ends what nobody ended. Stateless and idempotent; decides from records alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from colony.lifecycle.accesses import accesses_of
from colony.lifecycle.budget import Verdict as BudgetVerdict
from colony.lifecycle.clocks import SKEW
from colony.lifecycle.completed import completed
from colony.lifecycle.ground import Ground, State, Tell, Thing, deployment_of, records_of, state_of
from colony.lifecycle.idleness import UNUSED, idle_signal
from colony.lifecycle.leases import kept_until
from colony.lifecycle.locks import attended
from colony.lifecycle.logbook import log, log_end, logged_marks, this_life
from colony.lifecycle.reap_many import side_by_side
from colony.lifecycle.receipt import Receipt, cost_of
from colony.lifecycle.spending import purse_of, recorded
from colony.lifecycle.state import is_empty
from colony.lifecycle.stopping import stop_jobs
from colony.lifecycle.stopping_pools import is_stopped, stop_pools
from colony.lifecycle.teardown import ALL, Ended, Safeties, end_colony, exported, listed
from colony.records import lease_in, stacks_with_records
from components.lease import Lease
from components.spec import BudgetAction
from jobs.errors import ColonyError
from jobs.quantities import format_duration

__all__ = ["Reaped", "Verdict", "decide", "reap", "write_receipt"]


EMPTIED = (
    "others have destroyed what it had: it was not drained, and nobody has looked what is left"
)


@dataclass(frozen=True)
class Verdict:
    """`action` is reap, stop, wait, refuse or gone."""

    stack: str
    action: str
    reason: str


@dataclass(frozen=True)
class Reaped:
    """One stack, what was decided, and what came of it."""

    verdict: Verdict
    ended: Ended | None = None
    error: str = ""
    drain_first: bool = False
    """Its budget leaves the jobs their own end."""
    lease: dict[str, Any] | None = field(default=None, repr=False)
    """As it was read: an end begins only while it still says that."""

    @property
    def clean(self) -> bool:
        if self.verdict.action == "reap":
            return self.ended is not None and self.ended.clean
        return self.verdict.action in ("gone", "wait", "stop") and not self.error

    @property
    def usd_per_hour(self) -> float:
        """What is left costs so much; at most so much where the inventory is silent."""
        ended = self.ended or Ended()
        return round(ended.usd_per_hour or sum(t.usd_per_hour or 0.0 for t in ended.left), 4)

    def to_dict(self) -> dict[str, Any]:
        left = self.ended.left if self.ended else []
        return {
            "stack": self.verdict.stack,
            "action": self.verdict.action,
            "reason": self.error or self.verdict.reason,
            "billable_left": [thing.to_dict() for thing in left if thing.costs],
            "also_left": [thing.to_dict() for thing in left if not thing.costs],
            "usd_per_hour": self.usd_per_hour,
            "unfinished": self.ended.doubt if self.ended and not self.clean else "",
            "clean": self.clean,
        }


def reap(
    ground: Ground,
    tell: Tell,
    *,
    act: bool = True,
    safeties: Safeties = ALL,
    only: str = "",
) -> list[Reaped]:
    """Looks at every stack of the backend (or `only` one), and ends those whose time has come;
    where there are several, each by a process of its own, a few side by side."""
    # records first: they say best what a backend lacks
    known = set() if only else set(stacks_with_records(ground.storage))
    live = _alone(ground, only) if only else set(ground.engine.stacks())
    names = [only] if only else sorted(live | known)
    looked = {
        name: _safely(name, tell, partial(_look, ground, name, name in live, safeties))
        for name in names
    }
    ends = ("reap", "stop")
    due = [name for name, one in looked.items() if one.verdict.action in ends and not one.error]
    for name, one in looked.items():
        if one.verdict.action == "refuse" or one.error:
            looked[name] = _with_a_list(ground, one)
    if act and len(due) > 1 and safeties == ALL and ground.parallel > 1:
        looked |= {name: _of(found) for name, found in side_by_side(ground, due, tell).items()}
    elif act:
        for name in due:
            end = partial(_end, ground, looked[name], tell, safeties)
            looked[name] = _safely(name, tell, end)
    return [looked[name] for name in names]


def decide(
    stack: str,
    lease: Lease | None,
    completion: dict[str, Any] | None,
    runner: dict[str, Any] | None,
    *,
    now: float,
    budget: BudgetVerdict | None = None,
    idle: str = "",
    kept_until: float = 0.0,
    emptied: bool = False,
) -> Verdict:
    """Pure but for one look at whether the attached command's process is alive."""
    if lease is None:
        reason = "no lease: nothing says that this colony is ours to end; use `colony down`"
        return Verdict(stack, "refuse", reason)
    if now >= lease.expires:
        return Verdict(stack, "reap", "its lease has expired")
    if budget and budget.action:
        return Verdict(stack, "reap", budget.reason)
    if emptied:
        return Verdict(stack, "reap", EMPTIED)
    if now < kept_until:
        reason = f"kept by `colony keep` for another {format_duration(round(kept_until - now))}"
        return Verdict(stack, "wait", reason)
    if idle == "delete":
        return Verdict(stack, "reap", UNUSED)
    left = f"its lease runs for another {format_duration(round(lease.expires - now))}"
    kept = bool(completion and completion.get("keep"))
    if completion and not kept:
        return Verdict(stack, "reap", f"its jobs are done: {completion.get('outcome')}")
    if idle == "stop" and (kept or not runner):
        return Verdict(stack, "stop", f"{UNUSED}; {left}")
    if kept:
        return Verdict(stack, "wait", f"kept by its teardown policy; {left}")
    if runner and not attended(runner):
        return Verdict(stack, "reap", f"the command that ran it (pid {runner['pid']}) is gone")
    if now < lease.created - SKEW:
        ahead = format_duration(round(lease.created - now))
        reason = f"its lease begins in {ahead}: whose clock is wrong?"
        return Verdict(stack, "refuse", reason)
    return Verdict(stack, "wait", left)


def _safely(stack: str, tell: Tell, do: Callable[[], Reaped]) -> Reaped:
    """Whatever is wrong with one stack, the others are looked at."""
    try:
        return do()
    except Exception as error:
        said = str(error) if isinstance(error, ColonyError) else f"{type(error).__name__}: {error}"
        tell(f"{stack}: {said}")
        return Reaped(Verdict(stack, "reap", "it could not be looked at"), error=said)


def _alone(ground: Ground, stack: str) -> set[str]:
    return set() if exported(ground, stack) is None else {stack}


def _with_a_list(ground: Ground, one: Reaped) -> Reaped:
    """What is not ended may cost: the inventory says what it is."""
    try:
        return replace(one, ended=listed(ground, one.verdict.stack))
    except Exception:  # what is wrong with it is said already
        return one


def _look(ground: Ground, stack: str, live: bool, safeties: Safeties) -> Reaped:
    """What is to be done with it."""
    records = records_of(ground, stack)
    if not live and (records.read("receipt") or {}).get("clean"):
        return Reaped(Verdict(stack, "gone", "ended, with a receipt"))
    record = records.read("lease") if safeties.lease else None
    lease = lease_in(record) if record else None
    if lease is None and live and is_empty(ground.engine.export(stack)):
        return Reaped(Verdict(stack, "gone", "an empty stack: nothing was ever created"))
    # only then it has to be asked what was spent, and whether anybody uses it
    lasting = live and lease is not None and ground.now() < lease.expires
    broke = _broke(ground, stack) if lasting and lease and lease.budget_usd is not None else None
    runner = records.read("runner")
    state = state_of(ground, stack)  # read once, and only where its clusters are asked
    verdict = decide(
        stack,
        lease,
        # an attached run knows better: a job that its agent calls ended may start again
        records.read("completion")
        or (completed(ground, stack, state) if lasting and not runner else None),
        runner,
        now=ground.now(),
        budget=broke,
        idle=idle_signal(ground, stack, state) if lasting else "",
        kept_until=kept_until(records),
        emptied=lasting and not runner and _emptied(ground, stack, state),
    )
    if verdict.action == "stop" and is_stopped(ground, stack):
        return Reaped(replace(verdict, action="wait", reason=f"stopped; {verdict.reason}"))
    drain = bool(broke and verdict.reason == broke.reason and broke.action is BudgetAction.DRAIN)
    return Reaped(verdict, drain_first=drain, lease=record)


def _end(ground: Ground, looked: Reaped, tell: Tell, safeties: Safeties) -> Reaped:
    verdict = looked.verdict
    stack = verdict.stack
    if verdict.action == "stop":
        return _stop(ground, verdict, tell)
    if not records_of(ground, stack).claim(looked.lease, ground.now()):
        changed = replace(verdict, action="wait", reason="its lease was changed just now")
        return Reaped(changed)
    tell(f"{stack}: {verdict.reason}")
    log(ground, stack, "ending", by="reap", reason=verdict.reason)
    try:
        if looked.drain_first:
            _drain_jobs(ground, stack, tell)
        ended = end_colony(ground, stack, tell, safeties=safeties)
    except ColonyError as error:
        return Reaped(verdict, listed(ground, stack), str(error))
    write_receipt(ground, stack, f"reaped: {verdict.reason}", ended)
    return Reaped(verdict, ended)


def _stop(ground: Ground, verdict: Verdict, tell: Tell) -> Reaped:
    """Once: an idle colony without machines waits for its `delete`, or its lease."""
    tell(f"{verdict.stack}: {verdict.reason}: its machines go")
    try:
        stop_pools(ground, verdict.stack, tell)
    except ColonyError as error:
        return Reaped(verdict, error=str(error))
    return Reaped(verdict)


def _of(found: Mapping[str, Any]) -> Reaped:
    """As another process said it."""
    ended = found.get("ended")
    if ended is not None:
        things = {key: [Thing(**each) for each in ended[key]] for key in ("left", "swept")}
        ended = Ended(**{**ended, **things})
    return Reaped(Verdict(**found["verdict"]), ended, found.get("error", ""))


def _emptied(ground: Ground, stack: str, state: State) -> bool:
    """Whether it was up, and its state is empty: by plain `pulumi destroy`, or the operator's."""
    steps = [line.get("what") for line in this_life(records_of(ground, stack))]
    return "up" in steps and is_empty(state())


def _broke(ground: Ground, stack: str) -> BudgetVerdict | None:
    """By the recorded prices; a stack config that does not say them does not end anything."""
    purse = purse_of(ground, stack)
    return purse.verdict() if purse else None


def _drain_jobs(ground: Ground, stack: str, tell: Tell) -> None:
    """The jobs' own end before their machines'."""
    state = deployment_of(ground, stack)
    found = recorded(ground, stack)
    if found is None:
        return
    spec, placement = found
    named = accesses_of(ground, state)
    accesses = {job: named[name] for job, name in placement.jobs.items() if name in named}
    stop_jobs(ground, spec, accesses, tell)


def write_receipt(
    ground: Ground, stack: str, reason: str, ended: Ended, outcome: str = "failed"
) -> Receipt:
    """The receipt of a colony that no attached run ended. Its cost is what the ground can say.

    A life that is closed keeps its receipt: what was killed before it had a lease made nothing.
    """
    records = records_of(ground, stack)
    completion = records.read("completion") or {}
    lease = records.lease()
    since = float(lease.created) if lease else ground.now()
    seconds = ground.now() - since
    spans = ground.spans(stack, None, since)
    receipt = Receipt(
        colony=stack,
        outcome=completion.get("outcome", outcome),
        reason=reason,
        seconds=seconds,
        events=ended.events,
        cost=cost_of(spans, logged_marks(records, since), seconds),
        left=ended.left,
        swept=ended.swept,
        jobs={job: {"outcome": o, "reason": "", "exit_code": None}
              for job, o in completion.get("jobs", {}).items()},
        notes=ended.notes,
        logs=str(records.logs) if records.logs.is_dir() else "",
        unfinished=ended.doubt,
    )  # fmt: skip
    if ended.clean and (closed := records.closing()):
        records.write("receipt", closed)
        return receipt
    ground.charge(stack, spans, since)
    records.publish("logs")
    records.write_receipt({**receipt.to_dict(), "clean": ended.clean})
    log_end(ground, stack, receipt)
    if ended.clean:
        records.remove("runner")
    return receipt

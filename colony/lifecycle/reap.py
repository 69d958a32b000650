"""The reaper: ends what nobody ended. Stateless and idempotent; decides from records alone."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from colony.lifecycle.ground import Ground, Tell, records_of
from colony.lifecycle.locks import alive
from colony.lifecycle.receipt import Marks, Receipt, cost_of
from colony.lifecycle.state import is_empty
from colony.lifecycle.teardown import ALL, Ended, Safeties, end_colony
from colony.records import stacks_with_records
from components.lease import Lease
from jobs.errors import ColonyError

__all__ = ["Reaped", "Verdict", "decide", "reap", "write_receipt"]


@dataclass(frozen=True)
class Verdict:
    """`action` is reap, wait, refuse or gone."""

    stack: str
    action: str
    reason: str


@dataclass(frozen=True)
class Reaped:
    """One stack, what was decided, and what came of it."""

    verdict: Verdict
    ended: Ended | None = None
    error: str = ""

    @property
    def clean(self) -> bool:
        if self.verdict.action == "reap":
            return self.ended is not None and self.ended.clean
        return self.verdict.action in ("gone", "wait")

    def to_dict(self) -> dict[str, Any]:
        left = self.ended.left if self.ended else []
        return {
            "stack": self.verdict.stack,
            "action": self.verdict.action,
            "reason": self.error or self.verdict.reason,
            "billable_left": [thing.to_dict() for thing in left if thing.costs],
            "also_left": [thing.to_dict() for thing in left if not thing.costs],
            "clean": self.clean,
        }


def reap(
    ground: Ground,
    tell: Tell,
    *,
    act: bool = True,
    safeties: Safeties = ALL,
) -> list[Reaped]:
    """Looks at every stack of the backend, and ends those whose time has come."""
    live = set(ground.engine.stacks())
    names = sorted(live | set(stacks_with_records(ground.root)))
    return [_reap_one(ground, name, name in live, tell, act, safeties) for name in names]


def decide(
    stack: str,
    lease: Lease | None,
    completion: dict[str, Any] | None,
    runner: dict[str, Any] | None,
    *,
    now: float,
) -> Verdict:
    """Pure but for one look at whether the attached command's process is alive."""
    if lease is None:
        reason = "no lease: nothing says that this colony is ours to end; use `colony down`"
        return Verdict(stack, "refuse", reason)
    if now >= lease.expires:
        return Verdict(stack, "reap", "its lease has expired")
    left = f"its lease runs for another {lease.expires - now:.0f} s"
    if completion and completion.get("keep"):
        return Verdict(stack, "wait", f"kept by its teardown policy; {left}")
    if completion:
        return Verdict(stack, "reap", f"its jobs are done: {completion.get('outcome')}")
    if runner and runner["host"] == socket.gethostname() and not _runs(runner):
        return Verdict(stack, "reap", f"the command that ran it (pid {runner['pid']}) is gone")
    return Verdict(stack, "wait", left)


def _reap_one(
    ground: Ground,
    stack: str,
    live: bool,
    tell: Tell,
    act: bool,
    safeties: Safeties,
) -> Reaped:
    records = records_of(ground, stack)
    if not live and (records.read("receipt") or {}).get("clean"):
        return Reaped(Verdict(stack, "gone", "ended, with a receipt"))
    lease = records.lease() if safeties.lease else None
    if lease is None and live and is_empty(ground.engine.export(stack)):
        return Reaped(Verdict(stack, "gone", "an empty stack: nothing was ever created"))
    verdict = decide(
        stack, lease, records.read("completion"), records.read("runner"), now=ground.now()
    )
    if verdict.action != "reap" or not act:
        return Reaped(verdict)
    tell(f"{stack}: {verdict.reason}")
    try:
        ended = end_colony(ground, stack, tell, safeties=safeties)
    except ColonyError as error:
        return Reaped(verdict, error=str(error))
    write_receipt(ground, stack, f"reaped: {verdict.reason}", ended)
    return Reaped(verdict, ended)


def _runs(runner: dict[str, Any]) -> bool:
    return alive(int(runner["pid"]), runner.get("started"))


def write_receipt(
    ground: Ground, stack: str, reason: str, ended: Ended, outcome: str = "failed"
) -> Receipt:
    """The receipt of a colony that no attached run ended. Its cost is what the ground can say."""
    records = records_of(ground, stack)
    completion = records.read("completion") or {}
    lease = records.lease()
    since = float(lease.created) if lease else ground.now()
    seconds = ground.now() - since
    spans = ground.spans(None, since)
    receipt = Receipt(
        colony=stack,
        outcome=completion.get("outcome", outcome),
        reason=reason,
        seconds=seconds,
        events=ended.events,
        cost=cost_of(spans, Marks(), seconds),
        left=ended.left,
        swept=ended.swept,
        jobs={job: {"outcome": o, "reason": "", "exit_code": None}
              for job, o in completion.get("jobs", {}).items()},
        notes=ended.notes,
        logs=str(records.logs) if records.logs.is_dir() else "",
        unfinished=ended.doubt,
    )  # fmt: skip
    ground.charge(spans, since)
    records.write("receipt", {**receipt.to_dict(), "clean": ended.clean})
    if ended.clean:
        records.remove("runner")
    return receipt

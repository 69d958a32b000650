"""Commands about how long colonies live and lived: extend, keep, history."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from colony.cli import show
from colony.cli.colonies import ground_of, known
from colony.cli.durations import seconds_of
from colony.lifecycle.ground import Ground, records_of
from colony.records import Records, stacks_with_records
from components.lease import Lease

__all__ = ["extend", "history", "keep"]


def extend(name: str, by: str, world: Path | None, output: str) -> int:
    from colony.lifecycle.leases import extend as do_extend

    seconds = seconds_of("--by", by)
    with ground_of(world) as ground:
        known(ground, name)
        lease = do_extend(ground, name, seconds, show.teller(None, stderr=output == "json"))
        return _said(ground, lease, lease.expires, "its lease ends", output)


def keep(name: str, for_: str, world: Path | None, output: str) -> int:
    from colony.lifecycle.leases import keep as do_keep
    from colony.lifecycle.leases import kept_until

    seconds = seconds_of("--for", for_)
    with ground_of(world) as ground:
        known(ground, name)
        lease = do_keep(ground, name, seconds, show.teller(None, stderr=output == "json"))
        until = kept_until(records_of(ground, name))
        return _said(ground, lease, until, "kept until", output, {"kept_until": int(until)})


def history(name: str | None, world: Path | None, output: str) -> int:
    with ground_of(world) as ground:
        if name:
            known(ground, name)
            return _log_of(records_of(ground, name), name, world, output)
        names = stacks_with_records(ground.storage)
        lives = [
            {**receipt, "colony": each}
            for each in names
            for receipt in records_of(ground, each).receipts()
        ]
    if output == "json":
        show.as_json(lives)
    elif not lives:
        show.console().print("no colony has ended yet")
    else:
        _receipts(lives)
    return 0


def _log_of(records: Records, name: str, world: Path | None, output: str) -> int:
    events, receipts = records.lines("events"), records.receipts()
    if world:
        receipts = [{**each, "ledger": _audited(world, name, each)} for each in receipts]
    if output == "json":
        show.as_json({"colony": name, "events": events, "receipts": receipts})
        return 0
    rows = [[_time(each["at"]), each["what"], each["who"], _details(each)] for each in events]
    show.table(f"log of {name}", ["at", "what", "who", ""], rows)
    if receipts:
        _receipts([{**receipt, "colony": name} for receipt in receipts])
    for receipt in receipts if world else []:
        said, agrees = receipt["ledger"], "agrees" if receipt["ledger"]["agrees"] else "DISAGREES"
        oddities = "".join(f"; {each}" for each in said["oddities"])
        show.console().print(f"the ledger {agrees}: ${said['usd']:.4f}{oddities}", markup=False)
    return 0


def _audited(world: Path, name: str, receipt: dict[str, Any]) -> dict[str, Any]:
    """What the world's own books say of the same life."""
    from colony.rehearsal.audit import audit
    from colony.rehearsal.ledger import LEDGER, read_lines

    since = receipt["created"]
    until = since + receipt["virtual_seconds"]
    found = audit(read_lines(world / LEDGER), name, since, until)
    agrees = found.agrees(receipt)
    return {"usd": float(round(found.usd, 4)), "agrees": agrees, "oddities": found.oddities}


def _receipts(lives: list[dict[str, Any]]) -> None:
    columns = ["colony", "begun", "outcome", "lived", "$", "left", "why"]
    show.table("", columns, [_ended_row(receipt) for receipt in lives])


def _ended_row(receipt: dict[str, Any]) -> list[Any]:
    left = "nothing left" if receipt.get("clean") else "LEFT"
    lived, total = show.duration(receipt["virtual_seconds"]), receipt["cost"]["total"]
    begun = _time(receipt["created"])
    return [receipt["colony"], begun, receipt["outcome"], lived, total, left, receipt["reason"]]


def _details(event: dict[str, Any]) -> str:
    """`until` and `before` are moments; the rest as it is."""
    said = []
    for key, value in sorted(event.items()):
        if key in ("at", "what", "who"):
            continue
        shown = _time(value) if key in ("until", "before") else value
        said.append(f"{key}: {', '.join(shown) if isinstance(shown, list) else shown}")
    return "; ".join(said)


def _said(
    ground: Ground,
    lease: Lease,
    until: float,
    what: str,
    output: str,
    more: dict[str, int] | None = None,
) -> int:
    if output == "json":
        show.as_json({**lease.model_dump(mode="json"), **(more or {})})
        return 0
    left = show.duration(until - ground.now())
    show.console().print(f"{lease.stack}: {what} {_time(until)}, in {left}", markup=False)
    return 0


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")

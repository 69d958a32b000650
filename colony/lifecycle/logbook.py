"""The event log of a colony, `events.jsonl`: who decided what, when. Appended to, never rewritten.

What became of each resource is in the receipt; here is one line for each step of the life:
leased, up, not up, extended, held, cancelled, completed, kept, ending, ended, swept.
"""

from __future__ import annotations

import getpass
import socket
from contextlib import suppress
from typing import Any

from colony.lifecycle.ground import Ground, records_of
from colony.lifecycle.receipt import Marks, Receipt
from colony.records import Records
from jobs.errors import ColonyError

__all__ = ["log", "log_end", "logged_marks", "this_life"]


def log(ground: Ground, stack: str, what: str, **details: Any) -> None:
    """A log that cannot be written stops nothing: least of all the end of a colony."""
    said = {name: value for name, value in details.items() if value not in (None, "")}
    line = {"at": round(ground.now(), 3), "what": what, "who": _who(ground), **said}
    with suppress(OSError, ColonyError):
        records_of(ground, stack).append("events", line)


def log_end(ground: Ground, stack: str, receipt: Receipt) -> None:
    """`ended` with the bill, where nothing is left; otherwise what is."""
    left = [f"{thing.type} {thing.id}" for thing in receipt.left]
    clean = not left and not receipt.unfinished
    log(
        ground, stack, "ended" if clean else "not ended", outcome=receipt.outcome,
        usd=receipt.cost.total, seconds=round(receipt.seconds, 3), left=left or None,
        reason=receipt.unfinished or receipt.reason,
    )  # fmt: skip


def this_life(records: Records) -> list[dict[str, Any]]:
    """The lines from the last lease on; none where no lease was logged."""
    lines = records.lines("events")
    begins = [number for number, line in enumerate(lines) if line.get("what") == "leased"]
    return lines[begins[-1] :] if begins else []


def logged_marks(records: Records, since: float) -> Marks:
    """When the parts of a life ended that no attached run saw, in seconds from `since`. Its jobs
    ran from the first `up` on, as far as anybody knows, until they were done or the end began."""
    completion = records.read("completion") or {}
    if "marks" in completion:
        return Marks(**completion["marks"])
    at: dict[str, float] = {}
    for line in this_life(records):
        at.setdefault(str(line.get("what")), float(line["at"]) - since)
    up = at.get("up")
    done = float(completion["at"]) - since if "at" in completion else None
    return Marks(up, up, up, at.get("ending") if done is None else done)


def _who(ground: Ground) -> str:
    """Fixed in a world, so that one seed gives the same log."""
    if ground.simulated:
        return "rehearsal"
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()

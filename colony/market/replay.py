"""An incident file computed again: the same refusals at the same times, and what follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from colony.market.decision import Refused
from colony.market.failover import Failover
from colony.market.incident import (
    decision_line,
    failover_of,
    placed_line,
    placement_line,
    placement_of,
    seal,
)
from colony.market.settle import Settled
from jobs.errors import ColonyError, InputError, Problem
from jobs.restarts import answered

__all__ = ["Replayed", "read_incident", "replay"]


class Replayed:
    """What came out: the number of decisions, and the first difference, empty where none is."""

    def __init__(self) -> None:
        self.decisions = 0
        self.difference = ""


def read_incident(path: Path) -> list[dict[str, Any]]:
    """Every whole line; the last may have been cut off by a crash. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), f"cannot be read: {error}")) from None
    whole = text.split("\n")[:-1]
    try:
        lines = [json.loads(line) for line in whole]
    except ValueError as error:
        raise InputError(Problem(str(path), f"is no incident file: {error}")) from None
    if not lines or not all(isinstance(line, dict) and "what" in line for line in lines):
        raise InputError(Problem(str(path), "is no incident file: `incident.jsonl` of a run is"))
    return lines


def replay(lines: Sequence[Mapping[str, Any]]) -> Replayed:
    """Asks nothing but what the file says."""
    replayed = Replayed()
    for difference in _differences(lines, replayed):
        replayed.difference = difference
        break
    return replayed


def _differences(lines: Sequence[Mapping[str, Any]], replayed: Replayed) -> Iterator[str]:
    """The decisions first: they say what a change means. The seals find all others."""
    try:
        if any(line["what"] == "request" for line in lines):
            yield from _decided(lines, failover_of(lines), replayed)
    except (KeyError, ValueError, TypeError, StopIteration, ColonyError) as error:
        yield f"cannot be computed again: {type(error).__name__}: {error}"
    before = ""
    for number, line in enumerate(lines, 1):
        if line.get("seal") != seal(line, before):
            yield f"line {number} ({line['what']}) was changed since it was written"
        before = line.get("seal", "")


def _decided(
    lines: Sequence[Mapping[str, Any]], failover: Failover, replayed: Replayed
) -> Iterator[str]:
    now: Settled | None = None
    offered: Settled | None = None
    for number, line in enumerate(lines, 1):
        if line["what"] == "placed":
            failover.began = 0.0
            found = failover.first()
            given = Settled(found.spec, placement_of(line)) if line["recorded"] else found
            failover.began = line["began"]
            yield from _compared(number, line, placed_line(failover, given, line["recorded"]))
            replayed.decisions += 1
            now = given
        elif line["what"] == "attempt":
            failover.began = line["began"]
            if now and line["placement"] != placement_line(now.placement):
                yield f"line {number}: another placement was tried than was decided"
        elif line["what"] == "refused" and now:
            refused = [Refused(**each) for each in line["errors"]]
            decision = failover.decide(now, refused, line["at"])
            yield from _compared(number, line["decision"], decision_line(decision))
            replayed.decisions += 1
            now = decision.settled or now
        elif line["what"] == "taken" and now:
            decision = failover.taken(now, line["cluster"], line["at"])
            yield from _compared(number, line["decision"], decision_line(decision))
            replayed.decisions += 1
            offered = decision.settled
        elif line["what"] == "moved":
            failover.again(line["at"])
            now = offered or now
        elif line["what"] == "stopped":
            yield from _compared(number, line["answer"], answered(line["asked"]).to_dict())
            replayed.decisions += 1


def _compared(number: int, was: Any, now: Any, path: str = "") -> Iterator[str]:
    """Where two values differ; keys that only the recorded one has are the line's own."""
    if isinstance(now, dict) and isinstance(was, dict):
        for key, value in now.items():
            yield from _compared(number, was.get(key), value, f"{path}.{key}".lstrip("."))
    elif isinstance(now, list) and isinstance(was, list) and len(now) == len(was):
        for index, (old, new) in enumerate(zip(was, now, strict=True)):
            yield from _compared(number, old, new, f"{path}[{index}]")
    elif was != now:
        yield f"line {number}: {path} was {json.dumps(was)}, is {json.dumps(now)}"

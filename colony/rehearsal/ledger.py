"""`ledger.jsonl`: what exists and costs money, append-only.

    {"at", "op": "create" | "delete" | "bill", "id", "type", "tags", "usd_per_hour",
     "nodes"?, "urn"?}

What is left follows from the file alone. A second `create` of one thing says that its price or
its tags changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["LEDGER", "append_lines", "left", "left_of", "mend", "read_lines"]

LEDGER = "ledger.jsonl"


def left(folder: Path | str) -> list[dict[str, Any]]:
    """What is billable and still there in the world of `folder`, sorted by type and id."""
    return left_of(read_lines(Path(folder) / LEDGER))


def left_of(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same from lines that were read."""
    alive: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        key = (line["type"], line["id"])
        if line["op"] == "create":
            alive[key] = {**line, "created": alive.get(key, {}).get("created", line["at"])}
        elif line["op"] == "delete":
            alive.pop(key, None)
    return [_without_op(alive[key]) for key in sorted(alive)]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line; the last may have been cut off by a crash."""
    if not path.exists():
        return []
    *whole, _ = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in whole if line]


def append_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Appends in one write, which outlives any process; only a power cut could take it back
    (an fsync would cost 10 ms an operation)."""
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    if not text:
        return
    with path.open("ab", buffering=0) as file:
        file.write(text.encode())


def mend(path: Path) -> None:
    """Takes off a last line that a crash cut short, so that the next one starts a line."""
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        with path.open("rb+") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _without_op(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in ("op", "at")}

"""What a crash leaves, file by file."""

from __future__ import annotations

from pathlib import Path

from colony.rehearsal.captures import PARTS, UNREAD

__all__ = ["left_by"]

BESIDE = (".bak", ".attrs")
"""The engine's second copy of its state, one write behind; it may write the same state twice."""


def left_by(folder: Path) -> dict[str, list[bytes]]:
    """State, locks, records, configs, journal and ledger of a world or a capture, by lines."""
    found = {}
    for path in sorted(path for part in PARTS for path in _files(folder / part)):
        found[str(path.relative_to(folder))] = path.read_bytes().splitlines()
    return found


def _files(there: Path) -> list[Path]:
    if there.is_file():
        return [there]
    return [
        path
        for path in there.rglob("*")
        if path.is_file() and path.suffix not in BESIDE and not set(UNREAD) & set(path.parts)
    ]

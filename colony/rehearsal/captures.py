"""States of a world, as a crash would leave them: one before and one after every operation.

Made while a run goes on, one operation at a time. Each is a folder of its own that can be put into
a world again, where the next command finds what a killed run would have left.

    DIR/captures/command               what is being run: the part of a cell's name that we are told
    DIR/captures/dying                 the cell in which a real SIGKILL ends the run, if in any
    DIR/captures/0001/cell.json        {"command", "op", "urn", "when"}
    DIR/captures/0001/{journal.jsonl,ledger.jsonl,state,project}
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from colony.rehearsal.ledger import LEDGER
from colony.rehearsal.state import JOURNAL

__all__ = ["PARTS", "UNREAD", "Captures", "Cell", "calm", "put_back"]

CAPTURES = "captures"
COMMAND, DYING = "command", "dying"
PARTS = (JOURNAL, LEDGER, "state", "project")
UNREAD = ("backups", "history")
"""What the engine only writes: most of the bytes."""


@dataclass(frozen=True)
class Cell:
    """Where a run is cut off: `when` is before or after the operation on the URN took effect.
    `turn` counts, where a command does the same thing several times."""

    command: str
    op: str
    urn: str
    when: str
    turn: int = 1

    @property
    def name(self) -> str:
        return f"{self.command}: {self.op} {self.urn.rsplit('::', 1)[-1]} {self.when}"


class Captures:
    """The states of one world."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._there = folder / CAPTURES
        self._there.mkdir(exist_ok=True)
        self._turns = Counter(replace(cell, turn=1) for cell, _ in self)

    def name(self, command: str) -> None:
        """What the next operations belong to."""
        (self._there / COMMAND).write_text(command)

    def die(self, cell: Cell) -> None:
        """The run is to be killed there, when its state has been kept."""
        (self._there / DYING).write_text(json.dumps(asdict(cell)))

    def take(self, op: str, urn: str, when: str) -> bool:
        """Copies what is on the disk now; whole, or not at all. True where the run is to die."""
        number = len(self._folders()) + 1
        target, making = self._there / f"{number:04d}", self._there / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        for part in PARTS:
            _copy(self.folder / part, making / part)
        cell = Cell(self._command(), op, urn, when)
        self._turns[cell] += 1
        cell = replace(cell, turn=self._turns[cell])
        (making / "cell.json").write_text(json.dumps(asdict(cell)))
        making.rename(target)
        return cell == self._dying()

    def __iter__(self) -> Iterator[tuple[Cell, Path]]:
        for folder in self._folders():
            yield Cell(**json.loads((folder / "cell.json").read_text())), folder

    def _folders(self) -> list[Path]:
        return sorted(path for path in self._there.iterdir() if path.name.isdigit())

    def _dying(self) -> Cell | None:
        file = self._there / DYING
        return Cell(**json.loads(file.read_text())) if file.exists() else None

    def _command(self) -> str:
        file = self._there / COMMAND
        return file.read_text() if file.exists() else ""


def put_back(capture: Path, target: Path) -> None:
    """Makes a new world of a captured state: what a killed run would have left."""
    source = capture.parent.parent
    shutil.copytree(source, target, ignore=lambda folder, names: _unwanted(source, folder, names))
    for part in PARTS:
        _copy(capture / part, target / part)
    calm(target)


def calm(world: Path) -> None:
    """From now on nothing is captured there, and nothing slowed down."""
    settings = json.loads((world / "world.json").read_text())
    settings |= {"captures": False, "checkpoints": False, "parallel": 64}
    (world / "world.json").write_text(json.dumps(settings))


def _unwanted(source: Path, folder: str, names: list[str]) -> set[str]:
    """The server's own files, and what is in the capture."""
    if Path(folder) != source:
        return set()
    return {n for n in names if n in (*PARTS, CAPTURES) or n.startswith(("server.", "ports."))}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns(*UNREAD)
        shutil.copytree(source, target, ignore=ignored, copy_function=_file)
    elif source.exists():
        shutil.copy(source, target)


def _file(source: str, target: str) -> None:
    """What the engine writes beside a file, and renames meanwhile, was only passing."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)

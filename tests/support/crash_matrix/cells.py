"""One cell: the state is put back, and the reaper alone ends what is there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from served import served

from colony.lifecycle.ground import records_of
from colony.lifecycle.reap import Reaped, reap
from colony.lifecycle.simulated import Simulated
from colony.rehearsal.captures import Cell, put_back
from colony.rehearsal.ledger import LEDGER, left, read_lines

__all__ = ["INTERVAL", "Outcome", "reap_cell", "reap_cells"]

STACK = "matrix"
INTERVAL = 60.0
"""Seconds between two looks of the reaper."""


@dataclass(frozen=True)
class Outcome:
    """What became of one cell; `wrong` is empty where all is well."""

    cell: Cell
    found: int
    """Billable things in the captured state."""
    usd_per_hour: float
    late: float
    """Seconds from the lease's expiry until the last billable thing was gone; below 0: before."""
    seconds: float
    """Real ones."""
    wrong: str = ""


def reap_cells(cells: Iterable[tuple[Cell, Path]], folder: Path, workers: int) -> Iterator[Outcome]:
    """Each cell in a folder of its own that is gone afterwards, several side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        asked = [
            pool.submit(_alone, cell, capture, folder / capture.name) for cell, capture in cells
        ]
        for done in as_completed(asked):
            yield done.result()


def reap_cell(cell: Cell, world: Path) -> Outcome:
    """`world` is as the crash left it. The reaper looks an interval after the lease's end at the
    latest, when it must end all; then it looks again, and must change nothing."""
    began, there = time.monotonic(), left(world)
    with served(world) as ground:
        lease = records_of(ground, STACK).lease()
        assert lease is not None, "lease before spend"
        ground.world.advance(max(0.0, lease.expires + INTERVAL - ground.now()))
        wrong = _wrong(_reaped(ground), world) or _not_again(ground, world)
    last = max((line["at"] for line in read_lines(world / LEDGER)), default=float(lease.created))
    price = sum(thing["usd_per_hour"] for thing in there)
    seconds = time.monotonic() - began
    return Outcome(cell, len(there), price, last - lease.expires, seconds, wrong)


def _alone(cell: Cell, capture: Path, folder: Path) -> Outcome:
    try:
        put_back(capture, folder)
        return reap_cell(cell, folder)
    except Exception as error:  # a cell is a result, whatever happens in it
        return Outcome(cell, 0, 0.0, 0.0, 0.0, f"{type(error).__name__}: {error}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reaped(ground: Simulated) -> Reaped | None:
    found = [one for one in reap(ground, _unsaid) if one.verdict.stack == STACK]
    return found[0] if found else None


def _wrong(one: Reaped | None, world: Path) -> str:
    if things := left(world):
        return f"left: {', '.join(thing['type'] for thing in things)}"
    if one is None or not one.clean:
        return f"not clean: {one.to_dict() if one else 'unknown to the reaper'}"
    return "" if one.verdict.action in ("reap", "gone") else f"decided to {one.verdict.action}"


def _not_again(ground: Simulated, world: Path) -> str:
    before = read_lines(world / LEDGER), ground.world.operations()
    again = _reaped(ground)
    if again is None or again.verdict.action != "gone":
        return f"the second time it was not gone: {again.to_dict() if again else 'unknown'}"
    same = before == (read_lines(world / LEDGER), ground.world.operations())
    return "" if same else "the second time changed something"


def _unsaid(text: str, at: float | None = None) -> None:
    """Nobody listens."""

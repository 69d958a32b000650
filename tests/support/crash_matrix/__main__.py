"""Runs the matrix, and prints it: one line a cell, and what came of it."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from crash_matrix.cells import Outcome, reap_cells
from crash_matrix.life import COMMANDS, capture


def main() -> int:
    asked = _arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="colony-crash-") as scratch:
        folder = Path(scratch)
        cells = list(capture(folder).captures)
        print(f"{len(cells)} cells, captured in {time.monotonic() - began:.0f} s", flush=True)
        if asked.sample:
            cells = random.Random(asked.seed).sample(cells, asked.sample)
        order = {cell: number for number, (cell, _) in enumerate(cells, 1)}
        outcomes = []
        for outcome in reap_cells(cells, folder / "cells", asked.workers):
            outcomes.append(outcome)
            _print_line(order[outcome.cell], outcome)
    return _print_sums(outcomes, len(cells), time.monotonic() - began)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crash_matrix", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="so many cells; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _print_line(number: int, outcome: Outcome) -> None:
    cell = outcome.cell
    name = f"{cell.op} {cell.urn.rsplit('::', 1)[-1]}"
    left = f"{outcome.found:3d} left, {outcome.usd_per_hour:6.2f} $/h"
    came = outcome.wrong or f"empty, {outcome.late:+6.0f} s after the lease"
    line = f"{number:4d}  {cell.command:8}{name:60.60}{cell.when:7}{left}  {came}"
    print(f"{line}  {outcome.seconds:5.1f} s", flush=True)


def _print_sums(outcomes: list[Outcome], cells: int, seconds: float) -> int:
    print()
    for command in COMMANDS:
        of = [each for each in outcomes if each.cell.command == command]
        empty = sum(not each.wrong for each in of)
        print(f"{command:8} {empty:4d} of {len(of):4d} cells end empty")
    empty = sum(not each.wrong for each in outcomes)
    share = 100 * empty / cells
    print(f"all      {empty:4d} of {cells:4d} cells end empty ({share:.1f} %), in {seconds:.0f} s")
    return 0 if empty == cells else 1


if __name__ == "__main__":
    sys.exit(main())

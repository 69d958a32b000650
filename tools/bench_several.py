"""A colony on three clouds and on machines of one's own, through a bad day, in one process.

    python tools/bench_several.py

`examples/several.yaml` is brought up while one cloud's quota refuses; the next `up` repairs that,
one more drops the cluster from the file, and `down` ends the rest. Each step is the command itself
with the real engine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import yaml
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from colony.cli.app import app
from colony.garbage import collect_less
from colony.rehearsal.world import World

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "several.yaml"
REFUSED = {"op": "create", "type": "gcp:container/cluster:Cluster", "error": "quota", "times": 1}


def main() -> int:
    """Exit code 1 where a step does not end as it must, or something is left."""
    collect_less()
    with tempfile.TemporaryDirectory(prefix="colony-bench-") as folder:
        world = World.create(Path(folder, "world"), faults=[REFUSED])
        world.start()  # one server for all four commands
        try:
            rows = [_timed(world, *step) for step in _story(Path(folder))]
            left = len(world.left())
        finally:
            world.stop()
    seconds = time.time() - psutil.Process().create_time()
    Console().print(_table(rows, left, seconds))
    return 0 if not left and all(row["code"] == row["expected"] for row in rows) else 1


def _story(folder: Path) -> list[tuple[str, int, list[str]]]:
    """What is done, the exit code that it must have, the command."""
    documents = list(yaml.safe_load_all(EXAMPLE.read_text()))
    whole = _written(folder / "whole.yaml", documents)
    fewer = _written(folder / "fewer.yaml", _without(documents, "gke"))
    return [
        ("up, Google's quota refuses", 1, ["up", whole]),
        ("up again: repaired", 0, ["up", whole]),
        ("up without Google's cluster", 0, ["up", fewer]),
        ("down", 0, ["down", documents[0]["name"]]),
    ]


def _written(path: Path, documents: list[dict[str, Any]]) -> str:
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def _without(documents: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The file without this cluster and the job on it."""
    head, *jobs = documents
    clusters = [each for each in head["clusters"] if each["name"] != name]
    return [{**head, "clusters": clusters}, *(job for job in jobs if job["name"] != f"on-{name}")]


def _timed(world: World, what: str, expected: int, argv: list[str]) -> dict[str, Any]:
    began, before = time.perf_counter(), len(world.operations())
    done = CliRunner().invoke(app, [*argv, "--world", str(world.dir)])
    return {
        "what": what,
        "expected": expected,
        "code": getattr(done.exception, "exit_code", done.exit_code),
        "operations": len(world.operations()) - before,
        "seconds": time.perf_counter() - began,
    }


def _table(rows: list[dict[str, Any]], left: int, seconds: float) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("several clouds, one process")
    for name in ("exit code", "operations", "seconds"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row["what"], str(row["code"]), str(row["operations"]), f"{row['seconds']:.1f}"
        )
    table.add_row(f"all, from the process's start; {left} left", "", "", f"{seconds:.1f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())

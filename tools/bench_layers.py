"""Resolving and rendering the layers of many clusters: time and memory, as ratios of one run.

`python tools/bench_layers.py` prints the table; `tables()` gives it to `tools/bench.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import charts
from components import checks
from components.checks import Cluster
from components.layer_report import stack
from stacks import STACKS, cluster_of

ALL = {"observability": {"enabled": True}}
"""The full stack: with all that watches the others."""


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--clusters", type=int, default=50)
    for table in tables(arguments.parse_args().clusters):
        Console().print(table)


def tables(count: int = 50) -> list[Table]:
    """The eight stacks of the tests in turn, each with everything that watches it."""
    names = [list(STACKS)[number % len(STACKS)] for number in range(count)]
    charts.load.cache_clear()
    read, _ = timed(charts.load)
    resolve, clusters = timed(lambda: [cluster_of(name, layers=ALL) for name in names])
    check, problems = timed(lambda: [checks.errors(each) for each in clusters])
    render, texts = timed(lambda: [rendered(each) for each in clusters])
    parse, _ = timed(lambda: [json.loads(text) for text in texts])
    if any(problems):
        raise SystemExit(f"a check found something: {problems}")
    table = Table(f"layers of {count} clusters", "CPU s", "ms a cluster", "x parsing the result")
    for title, seconds in (
        ("reading the entries", read),
        ("choosing, merging values", resolve),
        ("checks", check),
        ("releases, objects and reasons as JSON", render),
    ):
        ratio = f"{seconds / parse:.1f}"
        table.add_row(title, f"{seconds:.2f}", f"{seconds / count * 1000:.1f}", ratio)
    return [table, memory(names)]


def memory(names: list[str]) -> Table:
    """What stays of the clusters, and the most that there was while they were made."""
    tracemalloc.start()
    clusters = [cluster_of(name, layers=ALL) for name in names]
    texts = [rendered(each) for each in clusters]
    held, peak = (size / 2**20 for size in tracemalloc.get_traced_memory())
    tracemalloc.stop()
    table = Table("memory", "releases", "objects", "JSON MiB", "held MiB", "peak MiB")
    releases = sum(len(each.layers) for each in clusters)
    objects = sum(len([*one.before, *one.after]) for each in clusters for one in each.layers)
    size = sum(map(len, texts)) / 2**20
    table.add_row(f"{len(names)} clusters", str(releases), str(objects), f"{size:.1f}",
                  f"{held:.1f}", f"{peak:.1f}")  # fmt: skip
    return table


def rendered(cluster: Cluster) -> str:
    """All that the engine is told of a cluster's layers, and why."""
    told: list[dict[str, Any]] = [
        {"chart": charts.reference(each.layer), "version": each.layer.version,
         "values": each.values, "objects": [*each.before, *each.after]}
        for each in cluster.layers
    ]  # fmt: skip
    return json.dumps({"releases": told, "stack": stack(cluster)})


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, so that neighbours do not count, and what came out."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    main()

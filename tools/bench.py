"""`make bench`: how long commands take to start, and rehearsals to run, and what they need.

Times are also given as multiples of `python -c pass`, measured in the same run: a ratio can be
compared between machines, seconds cannot.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import bench_jobs
import bench_layers
import bench_market
import bench_program
import bench_sides
import psutil
import yaml
from rich.console import Console
from rich.table import Table

CHECKOUT = Path(__file__).resolve().parent.parent
TASK = CHECKOUT / "examples" / "ddp" / "task.yaml"
COLONY = [sys.executable, "-m", "colony"]
PROVIDER_SDKS = ("pulumi", "grpc", "numpy", "boto3")


@dataclass(frozen=True)
class Measured:
    """One run of a command: wall seconds, peak memory of it and all that it started, output."""

    seconds: float
    peak_mib: float
    out: str


def main() -> None:
    """Measures everything and prints it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--clusters", type=int, nargs="*", default=[1, 3, 10])
    arguments.add_argument("--side-by-side", type=int, default=10)
    arguments.add_argument("--repeat", type=int, default=5)
    options = arguments.parse_args()
    console = Console()
    pass_ = median([sys.executable, "-c", "pass"], options.repeat)
    console.print(f"python -c pass: {pass_ * 1000:.0f} ms (median of {options.repeat})\n")
    console.print(starts(pass_, options.repeat))
    market = [*bench_market.tables(), bench_sides.table()]
    for table in [*bench_jobs.tables(), *bench_layers.tables(), *market]:
        console.print(table)
    console.print(bench_program.table(options.clusters))
    with tempfile.TemporaryDirectory(prefix="colony-bench-") as folder:
        console.print(rehearsals(pass_, Path(folder), options.clusters, options.side_by_side))
    several = Path(__file__).with_name("bench_several.py")
    subprocess.run([sys.executable, several], check=True)  # a process of its own: cold


def starts(baseline: float, repeat: int) -> Table:
    """Cold starts, the share of it that is imports, and SDKs that must not be among them."""
    table = columns("cold start", "seconds", "x pass", "imports s", "modules", "SDKs imported")
    for name, words in {
        "colony --help": ["--help"],
        "colony validate": ["validate", str(TASK)],
        "colony plan": ["plan", str(TASK)],
    }.items():
        seconds = median([*COLONY, *words], repeat)
        modules = imports([*COLONY, *words])
        sdks = ", ".join(sdk for sdk in PROVIDER_SDKS if sdk in modules) or "none"
        own = sum(modules.values()) / 1e6
        ratio = f"{seconds / baseline:.0f}"
        table.add_row(name, f"{seconds:.2f}", ratio, f"{own:.2f}", str(len(modules)), sdks)
    return table


def rehearsals(baseline: float, folder: Path, clusters: list[int], side_by_side: int) -> Table:
    """Whole lives in simulated worlds: alone, and several at once, each in its own process."""
    table = columns("rehearsal", "resources", "seconds", "x pass", "peak MiB", "outcome")
    for count in clusters:
        run = measured(rehearse(colony_file(folder, f"c{count}", count)))
        add(table, f"{count} cluster{'s'[: count > 1]}", baseline, [run])
    if side_by_side:
        files = [colony_file(folder, f"s{n}", 1) for n in range(side_by_side)]
        runs = together([rehearse(file) for file in files])
        add(table, f"{side_by_side} colonies side by side", baseline, runs)
    return table


def add(table: Table, name: str, baseline: float, runs: list[Measured]) -> None:
    receipts = [json.loads(run.out) for run in runs]
    seconds = max(run.seconds for run in runs)
    created = sum(event["what"] == "created" for r in receipts for event in r["events"])
    outcomes = {r["outcome"] + (" and LEFT" if r["billable_left"] else "") for r in receipts}
    peak = sum(run.peak_mib for run in runs)
    ratio, ended = f"{seconds / baseline:.0f}", ", ".join(sorted(outcomes))
    table.add_row(name, str(created), f"{seconds:.1f}", ratio, f"{peak:.0f}", ended)


def colony_file(folder: Path, name: str, clusters: int) -> Path:
    """A colony of so many clusters, with a job on the first."""
    colony = {
        "apiVersion": "colony/v1",
        "kind": "Colony",
        "name": name,
        "clusters": [
            {
                "name": f"k{n}",
                "cloud": "aws",
                "region": "us-east-1",
                "pools": [{"name": "gpus", "accelerators": "A10G:1", "nodes": 1}],
            }
            for n in range(clusters)
        ],
    }
    job = {
        "apiVersion": "colony/v1",
        "kind": "Job",
        "name": "train",
        "colony": name,
        "resources": {"accelerators": "A10G:1"},
        "run": "true",
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump_all([colony, job]))
    return path


def rehearse(file: Path) -> list[str]:
    return [*COLONY, "rehearse", str(file), "--format", "json"]


def median(argv: list[str], repeat: int) -> float:
    """The first run is not counted: it may compile."""
    return statistics.median([measured(argv).seconds for _ in range(repeat + 1)][1:])


def imports(argv: list[str]) -> dict[str, int]:
    """Microseconds that each imported module took by itself."""
    done = subprocess.run(
        [argv[0], "-X", "importtime", *argv[1:]], capture_output=True, text=True, check=True
    )
    lines = re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", done.stderr, re.M)
    return {name: int(own) for own, name in lines}


def measured(argv: list[str]) -> Measured:
    return together([argv])[0]


def together(commands: list[list[str]]) -> list[Measured]:
    """Runs commands side by side; memory is looked at twenty times a second."""
    began = time.perf_counter()
    outs = [tempfile.TemporaryFile("w+") for _ in commands]
    errs = [tempfile.TemporaryFile("w+") for _ in commands]
    children = [
        psutil.Popen(argv, stdout=out, stderr=err)
        for argv, out, err in zip(commands, outs, errs, strict=True)
    ]
    peaks, ends = [0.0] * len(children), [0.0] * len(children)
    while not all(ends):
        for index, child in enumerate(children):
            if ends[index]:
                continue
            peaks[index] = max(peaks[index], memory(child))
            if child.poll() is not None:
                ends[index] = time.perf_counter() - began
        time.sleep(0.002 if len(children) == 1 and time.perf_counter() - began < 2 else 0.05)
    for child, argv, err in zip(children, commands, errs, strict=True):
        if child.returncode:
            sys.exit(f"{' '.join(argv)} ended with {child.returncode}:\n{said(err)[-2000:]}")
    return [Measured(*m, said(out)) for *m, out in zip(ends, peaks, outs, strict=True)]


def said(stream: IO[str]) -> str:
    with stream:
        stream.seek(0)
        return stream.read()


def memory(process: psutil.Popen) -> float:
    """MiB of the process and its descendants; the world's server and the engine are among them."""
    total = 0
    try:
        for member in [process, *process.children(recursive=True)]:
            total += member.memory_info().rss
    except psutil.Error:  # ended while we looked
        pass
    return total / 2**20


def columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for index, name in enumerate(names):
        table.add_column(name, justify="left" if index in (0, len(names) - 1) else "right")
    return table


if __name__ == "__main__":
    main()

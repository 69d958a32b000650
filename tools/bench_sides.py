"""The market beside SkyPilot's optimiser: the same files, the same requests, one run.

`python tools/bench_sides.py` makes an environment for SkyPilot under the user's cache once, and
says so where it cannot be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bench_market
from rich.console import Console
from rich.table import Table

from colony.market.candidates import choose
from colony.market.catalog import Catalog
from colony.market.plan import plan
from colony.market.request import Request
from colony.market.tasks import Task, plan_tasks
from colony.toolchain import cache_folder

VERSION = "0.14.1"
SIDES = ("aws", "azure")
"""Clouds whose files hold whole machines on both sides: SkyPilot's GCP files split them."""

SCARCE, FEW = "L40S", ("-r0", "-r1", "-r2")
"""An accelerator, and the ends of the names of the only regions that have it."""
FOUR = (("H100", 8), ("H200", 8), ("A100-80GB", 8), ("B200", 8))
SIXTEEN = tuple((name, n) for name in ("H100", "A100", "L4", "T4") for n in (1, 2, 4, 8))


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=60_000)
    arguments.add_argument("--only", nargs="*", help="names of requests")
    options = arguments.parse_args()
    Console().print(table(options.rows, options.only))


def table(rows: int = 60_000, only: Sequence[str] | None = None) -> Table | str:
    """Both sides, or why there is only one."""
    python, why = environment()
    if python is None:
        return f"SkyPilot {VERSION} does not install here: {why}"
    asked = {name: each for name, each in requests().items() if only is None or name in only}
    with tempfile.TemporaryDirectory(prefix="colony-bench-") as folder:
        home = Path(folder)
        files = home / ".sky" / "catalogs" / "v8"
        for which, cloud in enumerate(SIDES):
            made = listed(bench_market.made(cloud, rows // len(SIDES), random.Random(which)))
            bench_market.write_rows(files / cloud / "vms.csv", [bench_market.HEADER, *made])
        names = [("AcceleratorName", "Clouds"), *((gpu, "AWS") for gpu in bench_market.GPUS)]
        bench_market.write_rows(files / "common" / "accelerators.csv", names)
        theirs = skypilot(python, home, asked)
        shutil.rmtree(files / "common")
        catalog = Catalog.load(files)
    if "error" in theirs:
        return f"SkyPilot {VERSION} did not run here: {theirs['error']}"
    found = Table(f"on {len(catalog.rows):,} rows", "SkyPilot ms", "colony ms", "times")
    for name, each in asked.items():
        ours = mine(catalog, each)
        his = theirs[name]["ms"]
        found.add_row(name, f"{his:,.1f}", f"{ours:.1f}", f"{his / ours:.0f}")
    return found


def listed(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    """With one price on demand in all zones of a region, as SkyPilot has it, and one accelerator
    that few regions have: SkyPilot's time grows with the regions that it finds."""
    price = bench_market.HEADER.index("Price")
    region = bench_market.HEADER.index("Region")
    known: dict[object, object] = {}
    for row in rows:
        if row[1] == SCARCE and not str(row[region]).endswith(FEW):
            continue
        usd = known.setdefault((row[0], row[region]), row[price])
        yield (*row[:price], usd, *row[price + 1 :])


def requests() -> dict[str, dict[str, Any]]:
    """Name -> its tasks, each of any of some accelerators."""
    kinds = [[("H100", 8)], [("A100", 8)], [("L4", 1)], [("T4", 4)]]
    found: dict[str, dict[str, Any]] = {
        "one type, in 3 regions a cloud": {"tasks": [[(SCARCE, 8)]], "reach": 0, "times": 4},
        "one type, in 30 regions a cloud": {"tasks": [[("H100", 8)]], "reach": 0, "times": 4},
        "4 types": {"tasks": [list(FOUR)], "reach": 0, "times": 2},
        "any of 16": {"tasks": [list(SIXTEEN)], "reach": 0, "times": 1},
    }
    for count, times in ((5, 1), (20, 1)):
        tasks = [kinds[place % 4] for place in range(count)]
        found[f"chain of {count}"] = {"tasks": tasks, "reach": 1, "times": times, "gb": 20}
        found[f"graph of {count}"] = {"tasks": tasks, "reach": 2, "times": times, "gb": 20}
    return found


def mine(catalog: Catalog, asked: dict[str, Any]) -> float:
    """CPU ms of the same."""
    ask = _asking(catalog, asked)
    ask()
    return statistics.median(bench_market.cpu_ms(ask) for _ in range(asked["times"]))


def _asking(catalog: Catalog, asked: dict[str, Any]) -> Callable[[], object]:
    candidates = [[Request(name, count) for name, count in task] for task in asked["tasks"]]
    if len(candidates) > 1:
        tasks = [
            Task(
                f"t{place}",
                tuple(each),
                tuple(f"t{n}" for n in range(max(0, place - asked["reach"]), place)),
                outputs_gb=asked["gb"],
            )
            for place, each in enumerate(candidates)
        ]
        return lambda: plan_tasks(tasks, catalog, built=SIDES).to_dict()
    if len(candidates[0]) > 1:
        return lambda: choose(candidates[0], catalog, top=10, built=SIDES).to_dict()
    return lambda: plan(candidates[0][0], catalog, 10, built=SIDES).to_dict()


def environment() -> tuple[Path | None, str]:
    """A Python that has SkyPilot, made once."""
    folder = cache_folder() / "bench" / f"skypilot-{VERSION}"
    python = folder / "bin" / "python"
    if python.exists() and not _run([str(python), "-c", "import sky"]):
        return python, ""
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", f"skypilot=={VERSION}"],
    ):
        if wrong := _run(command):
            return None, wrong
    return python, ""


def skypilot(python: Path, home: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Its figures by name, or `error`."""
    script = Path(__file__).with_name("bench_skypilot.py")
    done = subprocess.run(
        [str(python), str(script), ",".join(SIDES)],
        input=json.dumps(asked),
        env={"HOME": str(home), "PATH": os.environ["PATH"], "USER": "bench"},
        cwd=home,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"error": done.stderr.strip()[-2000:] or "no word"}
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):  # SkyPilot says things of its own
            found |= json.loads(line)
    return found


def _run(command: list[str]) -> str:
    """Empty where it worked, else its last word."""
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["failed"])[-1] if done.returncode else ""


if __name__ == "__main__":
    main()

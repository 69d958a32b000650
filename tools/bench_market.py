"""The market on a large catalogue: loading, one request, sets of requests, chains and graphs.

`python tools/bench_market.py` prints the tables; `tables()` gives them to `tools/bench.py`.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from colony.market.candidates import choose
from colony.market.catalog import Catalog
from colony.market.facts import cluster_facts
from colony.market.plan import plan
from colony.market.request import Request
from colony.market.tasks import Task, plan_tasks

CLOUDS = ("aws", "azure", "gcp")
HEADER = ("InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo",
          "Price", "SpotPrice", "Region", "AvailabilityZone", "Arch")  # fmt: skip
GPUS = {"H100": 80, "H200": 141, "A100": 40, "A100-80GB": 80, "L4": 24, "A10G": 24, "T4": 16,
        "V100": 16, "L40S": 48, "B200": 180}  # fmt: skip
GIB = "{'Gpus': [{'Name': '%s', 'Count': %d, 'MemoryInfo': {'SizeInMiB': %d}}], 'TotalGpuMemoryInMiB': %d}"  # noqa: E501


def main() -> None:
    """Measures and prints."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=60_000)
    arguments.add_argument("--requests", type=int, default=300)
    options = arguments.parse_args()
    for table in tables(options.rows, options.requests):
        Console().print(table)


def tables(rows: int = 60_000, requests: int = 300) -> list[Table]:
    """Loading, requests, tasks."""
    with tempfile.TemporaryDirectory(prefix="colony-bench-") as folder:
        write(Path(folder), rows)
        begun = time.process_time()
        catalog = Catalog.load(Path(folder))
        seconds = time.process_time() - begun
        tracemalloc.start()
        again = Catalog.load(Path(folder))
        used, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    if again.warnings:
        raise SystemExit(f"refused rows: {again.warnings[0]}")
    table = Table("catalogue", "CPU s", "MiB", "peak MiB")
    name = f"load {len(catalog.rows):,} rows"
    table.add_row(name, f"{seconds:.2f}", f"{used / 2**20:.0f}", f"{peak / 2**20:.0f}")
    return [table, asked(catalog, requests), chained(catalog)]


def asked(catalog: Catalog, requests: int) -> Table:
    """CPU of one answer with its ten best offers and its refusals, as `colony plan` gives it."""
    table = Table("request", "answers", "first ms", "p50 ms", "p99 ms")
    dice = random.Random(7)
    four = [Request(name, 8) for name in ("H100", "H200", "A100-80GB", "B200")]
    sixteen = [Request(name, n) for name in ("H100", "A100", "L4", "T4") for n in (1, 2, 4, 8)]
    kinds: dict[str, Callable[[], object]] = {
        "accelerators": lambda: plan(gpu_request(dice), catalog, 10, built=CLOUDS).to_dict(),
        "cpus": lambda: plan(cpu_request(dice), catalog, 10, built=CLOUDS).to_dict(),
        "any of 4 types": lambda: choose(four, catalog, top=10, built=CLOUDS).to_dict(),
        "any of 16": lambda: choose(sixteen, catalog, top=10, built=CLOUDS).to_dict(),
    }
    for name, ask in kinds.items():
        first, times = cpu_ms(ask), sorted(cpu_ms(ask) for _ in range(requests))
        cells = first, statistics.median(times), times[int(len(times) * 0.99)]
        table.add_row(name, f"{requests:,}", *(f"{cell:.2f}" for cell in cells))
    return table


def chained(catalog: Catalog) -> Table:
    """Each task of four types; data go from one to the next, and in graphs to two."""
    table = Table("tasks", "chain ms", "graph ms")
    for count in (5, 20, 100):
        chain, graph = (
            min(
                cpu_ms(lambda reach=reach, count=count: planned(catalog, count, reach))
                for _ in range(3)
            )
            for reach in (1, 2)
        )
        table.add_row(str(count), f"{chain:.1f}", f"{graph:.1f}")
    return table


def planned(catalog: Catalog, count: int, reach: int) -> None:
    kinds = (("H100", 8), ("A100", 8), ("L4", 1), ("T4", 4))
    tasks = [
        Task(
            name=f"t{place}",
            candidates=(Request(*kinds[place % 4]),),
            needs=tuple(f"t{before}" for before in range(max(0, place - reach), place)),
            outputs_gb=(1, 20, 500)[place % 3],
        )
        for place in range(count)
    ]
    if not plan_tasks(tasks, catalog, built=CLOUDS).to_dict()["total"]:
        raise SystemExit("a task has no offer")


def gpu_request(dice: random.Random) -> Request:
    return Request(
        dice.choice(list(GPUS)),
        dice.choice((1, 2, 4, 8)),
        nodes=dice.choice((1, 2, 16)),
        cloud=dice.choice((None, None, *CLOUDS)),
        use_spot=dice.choice((False, False, True, None)),
        max_price=dice.choice((None, None, 50.0)),
        hours=dice.choice((1, 24)),
    )


def cpu_request(dice: random.Random) -> Request:
    return Request(
        cpus=dice.choice((None, "4+", "8", "32+")),
        memory=dice.choice((None, "16+", "64+")),
        cloud=dice.choice((None, None, *CLOUDS)),
        use_spot=dice.choice((False, False, True, None)),
    )


def cpu_ms(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000


def write(folder: Path, count: int) -> None:
    """A third for each cloud; one row in five has GPUs."""
    for which, cloud in enumerate(CLOUDS):
        rows = made(cloud, count // len(CLOUDS), random.Random(which))
        write_rows(folder / f"{cloud}.csv", [HEADER, *rows])


def write_rows(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def made(cloud: str, count: int, dice: random.Random) -> Iterator[tuple[object, ...]]:
    """The system pool's machine has another price in each region, as everything else has."""
    names = list(GPUS)
    system = cluster_facts(cloud).get("system")
    for place in range(30 if system else 0):
        yield (system["instance_types"][0], "", "", 4, 16, "", round(0.1 + dice.random() / 20, 4),
               "", f"{cloud}-r{place}", "", "x86_64")  # fmt: skip
    for number in range(count):
        kind, place = divmod(number, 90)  # 30 regions of three zones
        region, zone = f"{cloud}-r{place // 3}", f"{cloud}-r{place // 3}-{'abc'[place % 3]}"
        size = 2 ** (kind % 7 + 1)
        price = round(size * (0.04 + 0.02 * dice.random()), 4)
        name, gpus, info = "", "", ""
        if kind % 5 == 0:
            name, gpus = names[kind // 5 % len(names)], 2 ** (kind // 50 % 4)
            mib = GPUS[name] * 1024
            info = GIB % (name, gpus, mib, mib * gpus)
            price = round(price + gpus * (0.4 + GPUS[name] / 20) * (1 + dice.random() / 5), 4)
        spot = round(price * (0.3 + dice.random() / 2), 4) if dice.random() < 0.8 else ""
        yield (f"{cloud}-m{kind}", name, gpus, size, size * 4, info, price, spot, region, zone,
               "x86_64")  # fmt: skip


if __name__ == "__main__":
    main()

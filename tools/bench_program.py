"""A program's own time and memory: colonies of 1, 3 and 10 clusters of each cloud.

`python tools/bench_program.py` prints the table; `table()` gives it to `tools/bench.py`. Each row
is one `up` by the real engine in a simulated world, in a process of its own. Seconds are CPU of the
program's process: imports (of the components and the cloud's SDK), construction (until the program
has said everything), registration (until the engine has answered everything). They are medians of
several runs in turn; `x one` is how often all three take the time of one cluster of that cloud, in
the same turn. A row also says whose SDKs were imported.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

CLUSTERS = (1, 3, 10)
PARTS = ("imports", "construction", "registration")
SDKS = ("aws", "azure_native", "gcp", "command")
CLOUDS: dict[str, dict[str, Any]] = {
    "aws": {"region": "us-east-1", "pools": [{"name": "gpus", "accelerators": "A10G:1"}]},
    "azure": {"region": "eastus", "pools": [{"name": "gpus", "accelerators": "A100-80GB:1"}]},
    "gcp": {"region": "us-central1", "pools": [{"name": "gpus", "accelerators": "L4:1"}]},
    "onprem": {"ssh": {"user": "ops"}},
}


def main() -> None:
    """Measures and prints; `--one CLOUD N` is a row, as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--clusters", type=int, nargs="*", default=CLUSTERS)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--one", nargs=2, metavar=("CLOUD", "N"))
    options = arguments.parse_args()
    if options.one:
        print(json.dumps(measured(options.one[0], int(options.one[1]))))
    else:
        Console().print(table(options.clusters, options.repeat))


def table(clusters: list[int] | tuple[int, ...] = CLUSTERS, repeat: int = 3) -> Table:
    """A row for each cloud and number of clusters."""
    heads = ("program", "clusters", "resources", "imports s", "construction s", "registration s",
             "x one", "peak MiB", "SDKs")  # fmt: skip
    found = Table(*heads, box=None, pad_edge=False)
    for cloud in CLOUDS:
        turns = [[_apart(cloud, count) for count in clusters] for _ in range(repeat)]
        for place, count in enumerate(clusters):
            rows = [turn[place] for turn in turns]
            ratios = [_seconds(turn[place]) / _seconds(turn[0]) for turn in turns]
            times = [f"{_median(rows, part):.2f}" for part in PARTS]
            found.add_row(cloud, str(count), str(rows[0]["resources"]), *times,
                          f"{statistics.median(ratios):.1f}", f"{_median(rows, 'peak_mib'):.0f}",
                          ", ".join(rows[0]["sdks"]) or "none")  # fmt: skip
    return found


def _apart(cloud: str, clusters: int) -> dict[str, Any]:
    """One row, in a process of its own."""
    argv = [sys.executable, __file__, "--one", cloud, str(clusters)]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{cloud} {clusters}: {done.stderr[-2000:]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _median(rows: list[dict[str, Any]], key: str) -> float:
    return statistics.median(row[key] for row in rows)


def _seconds(row: dict[str, Any]) -> float:
    return sum(float(row[part]) for part in PARTS)


def measured(cloud: str, clusters: int) -> dict[str, Any]:
    """One `up`."""
    began = time.process_time()
    from components.clusters.base import kind
    from components.program import build

    kind(cloud)
    imports = time.process_time() - began
    from colony.lifecycle.prepare import Plan, prepare
    from colony.lifecycle.simulated import Simulated
    from colony.lifecycle.teardown import ALL
    from colony.market.catalog import Catalog
    from colony.market.failover import Failover
    from colony.rehearsal.world import World

    marks: list[float] = []

    def program() -> None:
        marks.append(time.process_time())
        build()
        marks.append(time.process_time())

    with tempfile.TemporaryDirectory(prefix="colony-bench-") as folder:
        spec = _spec(Path(folder), cloud, clusters)
        settled = Failover(spec, Catalog.load(None)).first()
        plan = Plan(settled.spec, settled.placement, {}, "bench", "colony down bench",
                    networks=["203.0.113.7/32"])  # fmt: skip
        with Simulated(World.create(Path(folder, "world"))) as ground:
            prepare(ground, plan, safeties=ALL, attached=False)
            ground.engine.up("bench", program)
            marks.append(time.process_time())
            resources = len(ground.engine.export("bench")["resources"])
    return {
        "resources": resources,
        "imports": imports,
        "construction": marks[1] - marks[0],
        "registration": marks[2] - marks[1],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sdks": [name for name in SDKS if f"pulumi_{name}" in sys.modules],
    }


def _spec(folder: Path, cloud: str, clusters: int) -> Any:
    from colony.documents import load_colony

    made = [{"name": f"k{n}", "cloud": cloud, **CLOUDS[cloud], **_hosts(cloud, n)}
            for n in range(clusters)]  # fmt: skip
    file = folder / "bench.yaml"
    head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "bench", "clusters": made}
    file.write_text(yaml.safe_dump(head))
    return load_colony([file], {}).spec


def _hosts(cloud: str, place: int) -> dict[str, Any]:
    """Two machines of one's own: one serves, one joins."""
    if cloud != "onprem":
        return {}
    first = {"address": f"10.0.{place}.1", "cpus": 16, "memory": 64}
    second = {"address": f"10.0.{place}.2", "accelerators": "A100:8", "cpus": 64, "memory": 512}
    return {"hosts": [first, second]}


if __name__ == "__main__":
    main()

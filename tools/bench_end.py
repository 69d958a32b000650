"""`make bench-end`: what the end of a job costs: seconds until its machines go, and what is paid.

A job of one hour on two nodes of eight H100, on each simulated cloud, by the real engine. Model:
durations and prices are those of the simulated clouds (`colony/rehearsal/packages/`); a pool is
paid from the beginning of its create to the end of its delete; the job works for an hour once its
image is pulled. Two figures:

    delay        the last job ends → the first call that takes a pool with accelerators away: the
                 wait for the next look (half of it on average), what passes in the world, and what
                 this machine needed
    paid/useful  accelerator time that is paid over the hour of work, with that delay

Beside them the same lives, ended by an idle timer of five minutes that a tick of 60 s reads: the
end is found at the first tick after the timer, half a tick late on average.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from colony.lifecycle.watch import POLL
from colony.rehearsal.ledger import LEDGER, read_lines
from components.clusters.abilities import facts_of

CLOUDS = ("aws", "azure", "gcp")
POOLS = tuple(facts_of(cloud).pool for cloud in CLOUDS)
CLUSTERS = ("azure-native:containerservice:ManagedCluster",)
"""With which pools go, without a call of their own."""
HOUR = 3600.0
IDLE, TICK = 300.0, 60.0
AIMS = (5.0, 1.25)
"""Seconds of delay, and paid over useful."""


@dataclass(frozen=True)
class End:
    """Seconds. `world` and `here` are the two parts of the delay beside the wait for a look."""

    cloud: str
    world: float
    here: float
    paid: float
    useful: float

    @property
    def delay(self) -> float:
        """On average; at most half a look longer."""
        return POLL / 2 + self.world + self.here

    @property
    def ratio(self) -> float:
        """What passes in the world is in its books already."""
        return (self.paid + POLL / 2 + self.here) / self.useful

    @property
    def idle_ratio(self) -> float:
        """The same with the timer and the tick in the place of the look."""
        return (self.paid + IDLE + TICK / 2 + self.here) / self.useful


def main() -> int:
    """Prints both figures; exit code 1 where a cloud misses an aim."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--clouds", nargs="*", default=list(CLOUDS), choices=CLOUDS)
    ends = [lived(cloud) for cloud in asked.parse_args().clouds]
    Console().print(table(ends))
    return 0 if all(each.delay <= AIMS[0] and each.ratio <= AIMS[1] for each in ends) else 1


def table(ends: list[End]) -> Table:
    """One row a cloud; what misses its aim is marked."""
    found = Table(box=None, pad_edge=False)
    for name in ("cloud", "delay s", "at most s", "of it here s", "paid/useful", "idle timer"):
        found.add_column(name, justify="left" if name == "cloud" else "right")
    for each in ends:
        found.add_row(
            each.cloud, _held(each.delay, AIMS[0], 1), f"{each.delay + POLL / 2:.1f}",
            f"{each.here:.1f}", _held(each.ratio, AIMS[1], 3), f"{each.idle_ratio:.3f}",
        )  # fmt: skip
    return found


def _held(value: float, aim: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text if value <= aim else f"{text} (aim {aim:g})"


def lived(cloud: str) -> End:
    """One life to its receipt; what happens is followed as it is written."""
    with tempfile.TemporaryDirectory(prefix="colony-end-") as folder:
        place = Path(folder)
        world, file = place / "world", place / "train.yaml"
        file.write_text(yaml.safe_dump(job(cloud)))
        words = ["rehearse", str(file), "--format", "json", "--report", str(world)]
        with (place / "out").open("w+") as out:
            here = followed([sys.executable, "-m", "colony", *words], out, world / "journal.jsonl")
            out.seek(0)
            receipt = json.load(out)
        return measured(cloud, receipt, here, world)


def job(cloud: str) -> dict[str, Any]:
    return {
        "apiVersion": "colony/v1", "kind": "Job", "name": "train", "nodes": 2, "run": "true",
        "resources": {"accelerators": "H100:8", "cloud": cloud}, "expected_run_time": "1h",
        "max_run_time": "2h",
    }  # fmt: skip


def followed(argv: list[str], out: Any, journal: Path) -> float:
    """Wall seconds from the word of the outcome to the first delete of a pool in the journal."""
    ended = deleted = 0.0
    with subprocess.Popen(argv, stdout=out, stderr=subprocess.PIPE, text=True, bufsize=1) as life:
        assert life.stderr is not None
        for line in life.stderr:
            if " outcome: " in line:
                ended = time.monotonic()
                break
        while ended and not deleted and life.poll() is None:
            if any(map(_takes_a_pool, read_lines(journal))):
                deleted = time.monotonic()
            time.sleep(0.01)
        life.stderr.read()
    if not (ended and deleted) or life.returncode:
        sys.exit(f"{' '.join(argv)} ended with {life.returncode}, not as expected")
    return deleted - ended


def measured(cloud: str, receipt: dict[str, Any], here: float, world: Path) -> End:
    """When the job ended is in the receipt; what was done and billed, in the world's own books."""
    ended = max(each["at"] for each in receipt["events"] if each["what"].startswith("job "))
    calls = [each for each in read_lines(world / "journal.jsonl") if _takes_a_pool(each)]
    bills = [
        each
        for each in read_lines(world / LEDGER)
        if each["op"] == "bill" and each["type"] in POOLS and _has_accelerators(each)
    ]
    paid = sum(each["to"] - each["from"] for each in bills)
    began = min(each["at"] for each in read_lines(world / LEDGER))
    return End(cloud, calls[0]["at"] - began - ended, here, paid, HOUR)


def _takes_a_pool(line: dict[str, Any]) -> bool:
    """Its own delete, or that of the cluster that it goes with."""
    if line.get("op") != "delete":
        return False
    return line.get("type") in CLUSTERS or (line.get("type") in POOLS and _has_accelerators(line))


def _has_accelerators(line: dict[str, Any]) -> bool:
    return not str(line.get("urn", "")).endswith("-system")


if __name__ == "__main__":
    raise SystemExit(main())

"""A cloud's prices as a file that is there whole or not at all."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from colony.market.rows import Row, tie
from jobs.accelerators import find

__all__ = ["merged", "write"]

_HEADER = (
    "InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "GpuInfo",
    "Price", "SpotPrice", "Region", "AvailabilityZone", "Arch",
)  # fmt: skip


def merged(rows: Sequence[Row]) -> list[Row]:
    """One row for each machine in each place, with both of its prices; of several, the cheapest."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = (*tie(row), row.accelerator, f"{row.gpus:g}")
        if other := found.get(key):
            row = other._replace(
                price=_least(other.price, row.price),
                spot_price=_least(other.spot_price, row.spot_price),
            )
        found[key] = row
    return [found[key] for key in sorted(found)]


def write(path: Path, rows: Sequence[Row]) -> None:
    """In SkyPilot's v8 columns, beside its place first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(_cells(row) for row in rows)
        file.flush()
        os.fsync(file.fileno())


def _cells(row: Row) -> tuple[object, ...]:
    return (
        row.instance_type, row.accelerator, _plain(row.gpus) if row.accelerator else "",
        _plain(row.cpus), _plain(row.memory_gib), _info(row), _plain(row.price),
        _plain(row.spot_price), row.region, row.zone, row.arch,
    )  # fmt: skip


def _info(row: Row) -> str:
    if not (row.accelerator and row.gpu_memory_gib):
        return ""
    found = find(row.accelerator)
    mib = round(row.gpu_memory_gib * 1024)
    gpu = {
        "Name": row.accelerator,
        "Manufacturer": found.vendor.upper() if found else "",
        "Count": row.gpus,
        "MemoryInfo": {"SizeInMiB": mib},
    }
    return repr({"Gpus": [gpu], "TotalGpuMemoryInMiB": round(mib * row.gpus)})


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:.10g}"


def _least(first: float | None, second: float | None) -> float | None:
    known = [price for price in (first, second) if price is not None]
    return min(known, default=None)

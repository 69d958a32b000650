"""The rows behind `colony prices show`."""

from __future__ import annotations

from colony.market.catalog import Catalog
from colony.market.rows import tie
from jobs.accelerators import find

__all__ = ["rows"]


def rows(
    catalog: Catalog,
    accelerator: str | None = None,
    cloud: str | None = None,
    region: str | None = None,
) -> list[dict[str, object]]:
    """Prices by accelerator, count and price; without an accelerator, of all that have one."""
    if accelerator:
        name, _, count = accelerator.partition(":")
        found = [
            row for row in catalog.with_accelerator(name) if not count or f"{row.gpus:g}" == count
        ]
    else:
        found = [row for row in catalog.rows if row.accelerator]
    found = [row for row in found if cloud in (None, row.cloud) and region in (None, row.region)]
    found.sort(key=lambda row: (row.accelerator, row.gpus, row.price is None, row.price, tie(row)))
    return [
        {
            "cloud": row.cloud,
            "region": row.region,
            "zone": row.zone or None,
            "instance_type": row.instance_type,
            "accelerators": f"{row.accelerator}:{row.gpus:g}",
            "gpu_memory_gib": row.gpu_memory_gib,
            "compute": (known.compute if (known := find(row.accelerator)) else "") or None,
            "cpus": row.cpus,
            "memory_gib": row.memory_gib,
            "price": row.price,
            "spot_price": row.spot_price,
            "date": row.date,
        }
        for row in found
    ]

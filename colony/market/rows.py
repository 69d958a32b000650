"""One price of one machine in one place."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Row", "kind", "tie", "total"]


class Row(NamedTuple):
    """A catalogue row, checked. Prices are USD per machine-hour; None is unknown, never zero."""

    cloud: str
    region: str
    zone: str
    """Empty where the price is the region's. AWS files hold zone ids (`use1-az2`)."""
    instance_type: str
    accelerator: str
    """Canonical name; empty on a machine without one."""
    gpus: float
    cpus: float | None
    memory_gib: float | None
    gpu_memory_gib: float | None
    """Of one GPU."""
    price: float | None
    spot_price: float | None
    arch: str
    date: str
    """ISO date of the prices, empty where the catalogue has none."""

    def price_as(self, spot: bool) -> float | None:
        return self.spot_price if spot else self.price


def total(row: Row) -> tuple[str, ...]:
    """`tie`, and then everything else: no two rows are equal, whatever their order in a file."""
    return (*tie(row), repr(row[4:]))


def tie(row: Row) -> tuple[str, str, str, str]:
    """The end of the written order: cloud, region, zone, machine type."""
    return (row.cloud, row.region, row.zone, row.instance_type)


def kind(row: Row) -> tuple[object, ...]:
    """What all prices of one kind of machine share: not where it is, nor what it costs."""
    return (row.cloud, row.instance_type, *row[4:8], row.arch)

"""Catalogues that price the host and its GPUs in separate rows (GCP): added together here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

from colony.market.facts import gcp_hosts
from colony.market.rows import Row
from jobs.errors import Problem

__all__ = ["join_hosts"]


def join_hosts(rows: list[Row], file: str) -> tuple[list[Row], list[Problem]]:
    """Rows that name a machine, GPU rows joined with every machine that can carry them.

    A GPU row without such a machine in its zone is not offered, which the warnings say.
    """
    loose = [row for row in rows if not row.instance_type]
    named = [row for row in rows if row.instance_type]
    hosts = {_place(row, row.instance_type): row for row in named if not row.accelerator}
    joined: list[Row] = []
    homeless: Counter[str] = Counter()
    for gpu in loose:
        found = list(_carriers(gpu, hosts))
        joined += found
        if not found:
            homeless[f"{gpu.accelerator}:{gpu.gpus:g}" if gpu.accelerator else "nothing"] += 1
    alone = [row for row in named if row.accelerator or row.instance_type not in _only_with_gpus()]
    warnings = [
        Problem(file, f"{count} rows of {what} name no machine, and none that carries it is there",
                "they are not offered")
        for what, count in sorted(homeless.items())
    ]  # fmt: skip
    return alone + joined, warnings


def _carriers(gpu: Row, hosts: dict[tuple[str, str, str], Row]) -> Iterator[Row]:
    for kinds in gcp_hosts().values():
        for name in kinds.get(gpu.accelerator, {}).get(int(gpu.gpus), []):
            if host := hosts.get(_place(gpu, name)):
                yield host._replace(
                    accelerator=gpu.accelerator,
                    gpus=gpu.gpus,
                    gpu_memory_gib=gpu.gpu_memory_gib,
                    price=_sum(host.price, gpu.price),
                    spot_price=_sum(host.spot_price, gpu.spot_price),
                )


def _place(row: Row, instance_type: str) -> tuple[str, str, str]:
    return (instance_type, row.region, row.zone)


def _sum(host: float | None, gpus: float | None) -> float | None:
    return None if host is None or gpus is None else round(host + gpus, 6)


@cache
def _only_with_gpus() -> frozenset[str]:
    bound = gcp_hosts()["bound"].values()
    return frozenset(name for counts in bound for names in counts.values() for name in names)

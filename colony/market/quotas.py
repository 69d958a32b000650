"""Quotas that a cloud tells before anybody has asked for a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from colony.market.failures import Failure, Kind, Reach
from colony.market.zones import Cell
from components.placement import ClusterPlacement, PoolPlacement

__all__ = ["Lookup", "Quota", "short", "unknown"]


@dataclass(frozen=True)
class Quota:
    """How much of one kind of machine may run in a region. Not how much of it runs already."""

    limit: float
    unit: str
    """`vCPUs` or `nodes`."""
    name: str
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


Lookup = Callable[[Cell], Quota | None]
"""None = the cloud does not tell."""


def unknown(_: Cell) -> Quota | None:
    """Nobody to ask."""
    return None


def short(cluster: ClusterPlacement, pool: PoolPlacement, quota: Quota) -> Failure | None:
    """The refusal that an attempt would end in; None where the quota is large enough, or is not
    counted in what the placement knows."""
    size = {"nodes": 1.0, "vCPUs": pool.cpus}.get(quota.unit, 0)
    alike = [other for other in cluster.pools if other.instance_type == pool.instance_type]
    needed = size * sum(other.nodes for other in alike if other.spot == pool.spot)
    if needed <= quota.limit:
        return None
    text = (
        f"the quota `{quota.name}` in {cluster.region} is {quota.limit:g} {quota.unit}, "
        f"{needed:g} would be needed for {pool.instance_type}"
    )
    return Failure(Kind.QUOTA, Reach.TYPE, 0, False, "looked up", quota.source, text)

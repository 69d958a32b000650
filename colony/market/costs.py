"""What a run is expected to cost: the rate of everything that is up, times how long each part
takes. The minutes are modelled (`data/clusters.yaml`); spot rework and egress are not counted."""

from __future__ import annotations

from dataclasses import dataclass

from colony.market.catalog import Catalog
from colony.market.facts import cluster_facts
from colony.market.rows import Row

__all__ = ["Expected", "control_plane_per_hour", "expected", "system_pool"]

SystemPool = tuple[Row | None, float, int]


@dataclass(frozen=True)
class Expected:
    """USD, by the parts of a receipt."""

    provisioning: float
    pulling: float
    running: float
    draining: float

    @property
    def total(self) -> float:
        return round(self.provisioning + self.pulling + self.running + self.draining, 6)

    def to_dict(self) -> dict[str, float]:
        return {**vars(self), "total": self.total}


def expected(
    catalog: Catalog, cloud: str, region: str, nodes_per_hour: float, hours: float
) -> Expected:
    """`nodes_per_hour` USD, beside which a control plane and the system nodes are paid."""
    minutes = cluster_facts(cloud).get("minutes", {})
    control = control_plane_per_hour(cloud)
    _, system, count = system_pool(catalog, cloud, region)
    rate = nodes_per_hour + control + count * system

    def cost(part: str, hourly: float) -> float:
        return float(minutes.get(part, 0)) / 60 * hourly

    return Expected(
        provisioning=round(cost("cluster", control) + cost("nodes", rate), 6),
        pulling=round(cost("pulling", rate), 6),
        running=round(hours * rate, 6),
        draining=round(cost("draining", rate), 6),
    )


def control_plane_per_hour(cloud: str) -> float:
    return float(cluster_facts(cloud).get("control_plane_per_hour", 0))


def system_pool(catalog: Catalog, cloud: str, region: str) -> SystemPool:
    """The machine of the CPU pool that every cluster has, its price and how many; (None, 0, 0)
    for a cloud without, or without any price.

    Where the region's price is unknown, the dearest known one stands for it.
    """
    facts = cluster_facts(cloud).get("system")
    if not facts:
        return None, 0.0, 0
    known = [
        row
        for name in facts["instance_types"]
        for row in catalog.of_type(name)
        if row.cloud == cloud and row.price is not None
    ]
    if not known:
        return None, 0.0, 0
    here = [row for row in known if row.region == region]
    row = here[0] if here else max(known, key=lambda row: row.price or 0)
    return row, float(row.price or 0), int(facts["nodes"])

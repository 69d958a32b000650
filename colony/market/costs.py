"""What a run is expected to cost until it is done, by the parts of its bill.

The minutes, and how often spot nodes are taken, are modelled: `data/clusters.yaml`, `costs.yaml`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from colony.market.catalog import Catalog
from colony.market.facts import cluster_facts, cost_facts
from colony.market.rows import Row

__all__ = [
    "Expected",
    "control_plane_per_hour",
    "expected",
    "line",
    "rework_hours",
    "system_pool",
]

SystemPool = tuple[Row | None, float, int]

_MOST = 50.0
"""Beyond e^50 a run never ends: the figure stays finite, and ranks last all the same."""


@dataclass(frozen=True)
class Expected:
    """USD. The first five are the job's own nodes, by what they are paid for."""

    provisioning: float
    pulling: float
    running: float
    rework: float
    """Done again after spot nodes were taken, with the waiting for new ones."""
    draining: float
    control_plane: float
    system_nodes: float
    egress: float = 0.0

    @property
    def total(self) -> float:
        return round(math.fsum(vars(self).values()), 6)

    def to_dict(self) -> dict[str, float]:
        return {**vars(self), "total": self.total}


def expected(
    catalog: Catalog,
    cloud: str,
    region: str,
    nodes_per_hour: float,
    hours: float,
    spot_nodes: int = 0,
    egress: float = 0.0,
) -> Expected:
    """`nodes_per_hour` USD, of which `spot_nodes` may be taken away at any time."""
    if cloud == "existing":
        return Expected(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, round(egress, 6))
    up = _Up.of(cloud, hours, spot_nodes)
    _, system, count = system_pool(catalog, cloud, region)
    bill = Expected(
        provisioning=round(up.nodes * nodes_per_hour, 6),
        pulling=round(up.pulling * nodes_per_hour, 6),
        running=0.0,
        rework=round(up.rework * nodes_per_hour, 6),
        draining=round(up.draining * nodes_per_hour, 6),
        control_plane=round((up.cluster + up.whole) * control_plane_per_hour(cloud), 6),
        system_nodes=round(up.whole * count * system, 6),
    )
    fixed, hourly = line(catalog, cloud, region, hours, spot_nodes)
    whole = round(fixed + hourly * nodes_per_hour, 6)  # exact: what roundings leave is the run's
    return replace(bill, running=round(whole - bill.total, 6), egress=round(egress, 6))


def line(
    catalog: Catalog, cloud: str, region: str, hours: float, spot_nodes: int = 0
) -> tuple[float, float]:
    """(USD whatever the nodes cost, hours that they are paid for): the bill's total without
    egress is a line over their price, which ranks many machines of one place at once."""
    if cloud == "existing":
        return 0.0, 0.0
    up = _Up.of(cloud, hours, spot_nodes)
    _, system, count = system_pool(catalog, cloud, region)
    control = (up.cluster + up.whole) * control_plane_per_hour(cloud)
    return control + up.whole * count * system, up.whole


def rework_hours(hours: float, spot_nodes: int, restart: float) -> float:
    """Expected hours beyond `hours` of work: any spot node taken stops the gang, which waits
    `restart` hours and does again what followed its last checkpoint.

    Interruptions are Poisson; a stretch of work s that they come upon at rate r takes
    (1/r + restart) * (e^(r s) - 1) hours until it is done.
    """
    facts = cost_facts()["spot"]
    rate = spot_nodes * float(facts["interruptions_per_node_hour"])
    if not rate or not hours:
        return 0.0
    stretches = max(1.0, hours / float(facts["checkpoint_hours"]))
    once = (1 / rate + restart) * math.expm1(min(_MOST, rate * hours / stretches))
    return max(0.0, stretches * once - hours)


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


@dataclass(frozen=True)
class _Up:
    """Hours: the control plane alone, then all nodes."""

    cluster: float
    nodes: float
    pulling: float
    rework: float
    draining: float
    whole: float
    """All of it but `cluster`, with the work itself."""

    @classmethod
    def of(cls, cloud: str, hours: float, spot_nodes: int) -> _Up:
        minutes = cluster_facts(cloud).get("minutes") or cost_facts()["minutes"]
        cluster, nodes, pulling, draining = (
            float(minutes[part]) / 60 for part in ("cluster", "nodes", "pulling", "draining")
        )
        rework = rework_hours(hours, spot_nodes, nodes + pulling)
        whole = nodes + pulling + hours + rework + draining
        return cls(cluster, nodes, pulling, rework, draining, whole)

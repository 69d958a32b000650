"""What a run is expected to cost until it is done, by the parts of its bill.

The minutes, and how often spot nodes are taken, are modelled: `data/clusters.yaml`, `costs.yaml`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from colony.market.catalog import Catalog
from colony.market.facts import cluster_facts, cost_facts
from colony.market.rows import Row

__all__ = [
    "Expected",
    "Phases",
    "Spot",
    "control_plane_per_hour",
    "expected",
    "line",
    "minutes_of",
    "notice_of",
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
    up = Phases.of(cloud, hours, spot_nodes)
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
    up = Phases.of(cloud, hours, spot_nodes)
    _, system, count = system_pool(catalog, cloud, region)
    return up.fixed(control_plane_per_hour(cloud), count * system), up.whole


def rework_hours(hours: float, spot_nodes: int, restart: float, spot: Spot | None = None) -> float:
    """Expected hours beyond `hours` of work: any spot node taken stops the gang, which waits
    `restart` hours and does again what followed its last checkpoint.

    Interruptions are Poisson; a stretch of work s that they come upon at rate r takes
    (1/r + restart) * (e^(r s) - 1) hours until it is done.
    """
    spot = spot or Spot.known()
    rate = spot_nodes * spot.interruptions_per_node_hour
    if not rate or not hours:
        return 0.0
    stretches = max(1.0, hours / spot.checkpoint_hours)
    once = (1 / rate + restart) * math.expm1(min(_MOST, rate * hours / stretches))
    return max(0.0, stretches * once - hours)


def control_plane_per_hour(cloud: str) -> float:
    return float(cluster_facts(cloud).get("control_plane_per_hour", 0))


def system_pool(catalog: Catalog, cloud: str, region: str) -> SystemPool:
    """The machine of the CPU pool that every cluster has, its price and how many; (None, 0, 0)
    for a cloud without, or without any price.

    Where the region's price is unknown, the dearest known one stands for it.
    """
    key = "system pool", cloud, region
    if key not in catalog.notes:
        catalog.notes[key] = _system_pool(catalog, cloud, region)
    found: SystemPool = catalog.notes[key]
    return found


def _system_pool(catalog: Catalog, cloud: str, region: str) -> SystemPool:
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
class Spot:
    """How often one spot node is taken, and how much work stands between two checkpoints."""

    interruptions_per_node_hour: float
    checkpoint_hours: float

    @classmethod
    def known(cls) -> Spot:
        facts = cost_facts()["spot"]
        return cls(float(facts["interruptions_per_node_hour"]), float(facts["checkpoint_hours"]))


@dataclass(frozen=True)
class Phases:
    """Hours: the control plane alone, then all nodes."""

    cluster: float
    nodes: float
    pulling: float
    rework: float
    draining: float
    whole: float
    """All of it but `cluster`, with the work itself."""

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, cloud: str, hours: float, spot_nodes: int) -> Phases:
        return cls.taking(minutes_of(cloud), hours, spot_nodes)

    @classmethod
    def taking(
        cls, minutes: Mapping[str, float], hours: float, spot_nodes: int, spot: Spot | None = None
    ) -> Phases:
        """With these `minutes` for its parts, as `data/clusters.yaml` has them."""
        cluster, nodes, pulling, draining = (
            float(minutes[part]) / 60 for part in ("cluster", "nodes", "pulling", "draining")
        )
        rework = rework_hours(hours, spot_nodes, nodes + pulling, spot)
        whole = nodes + pulling + hours + rework + draining
        return cls(cluster, nodes, pulling, rework, draining, whole)

    def fixed(self, control_per_hour: float, system_per_hour: float) -> float:
        """USD whatever the job's own nodes cost."""
        return (self.cluster + self.whole) * control_per_hour + self.whole * system_per_hour


def minutes_of(cloud: str) -> dict[str, float]:
    """Modelled minutes of the parts of a cluster's life."""
    found: dict[str, float] = cluster_facts(cloud).get("minutes") or cost_facts()["minutes"]
    return found


def notice_of(cloud: str) -> float:
    """Seconds between a cloud's notice and the loss of a spot machine."""
    known = cost_facts()["spot"]["notice"]
    return float(known.get(cloud, known["other"]))

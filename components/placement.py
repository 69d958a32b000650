"""Where a colony goes and what it costs: chosen by the market, written into the stack config,
built by the program as it is. Pure: no pulumi."""

from __future__ import annotations

from pydantic import Field

from jobs.model import Strict

__all__ = ["ClusterPlacement", "Placement", "PoolPlacement"]


class PoolPlacement(Strict):
    """`nodes` machines of one instance type at one recorded price."""

    name: str
    instance_type: str
    accelerator: str | None = None
    accelerator_count: int = 0
    """Per node; 0 on a CPU pool."""
    nodes: int = Field(ge=1)
    spot: bool = False
    zone: str | None = None
    cpus: float = 0
    memory_gib: float = 0
    price_per_node_hour: float = Field(ge=0)
    """USD."""


class ClusterPlacement(Strict):
    """One cluster with its pools."""

    name: str
    cloud: str
    region: str
    zones: list[str] = Field(default_factory=list)
    kubernetes: str = ""
    context: str | None = None
    """Only for cloud `existing`."""
    control_plane_per_hour: float = Field(default=0, ge=0)
    pools: list[PoolPlacement] = Field(default_factory=list)


class Placement(Strict):
    """What is built. `catalog_date` is the age of the prices (ISO date)."""

    clusters: list[ClusterPlacement]
    jobs: dict[str, str] = Field(default_factory=dict)
    """Job name -> cluster name."""
    catalog_date: str = ""

    @property
    def price_per_hour(self) -> float:
        """USD per hour of every node and control plane."""
        exact = sum(
            cluster.control_plane_per_hour
            + sum(pool.nodes * pool.price_per_node_hour for pool in cluster.pools)
            for cluster in self.clusters
        )
        return round(exact, 6)

"""Where a colony goes and what it costs: chosen by the market, written into the stack config,
built by the program as it is. Pure: no pulumi."""

from __future__ import annotations

from pydantic import Field

from components.access import Access
from components.pool_spec import Capacity
from jobs.model import Strict

__all__ = ["ClusterPlacement", "HostPlacement", "Placement", "PoolPlacement"]


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
    min_nodes: int | None = None
    """Where the cloud scales between it and `nodes`; None = always `nodes`."""
    reservation: str | None = None
    reserved_until: str | None = None
    """ISO 8601, UTC."""
    disk: int | None = None
    """GiB."""
    image: str | None = None
    """By the kind's own names; None = its choice."""
    compact: bool | None = None
    """Side by side; None = where several have a network of their own."""
    stopped: int | None = None
    """Unix seconds since when it has no nodes, because nobody used the colony; None = it has."""

    @property
    def count(self) -> int:
        """How many nodes there are to be now."""
        return self.nodes if self.stopped is None else 0

    @property
    def capacity(self) -> Capacity:
        """How its nodes are bought."""
        if self.reservation:
            return Capacity.RESERVATION
        return Capacity.SPOT if self.spot else Capacity.ON_DEMAND


class HostPlacement(Strict):
    """One of the user's own machines: a node of the pool that is named."""

    address: str
    user: str
    port: int = 22
    pool: str
    host_key: str = ""
    """As in a known_hosts file, without the address; empty only in a rehearsal."""


class ClusterPlacement(Strict):
    """One cluster with its pools."""

    name: str
    cloud: str
    region: str
    zones: list[str] = Field(default_factory=list)
    """Those that the file allows; none = all of the region."""
    spans: list[str] | None = None
    """Where it is already, in the order in which the zones came: whatever has no accelerators stays
    there, wherever pools with accelerators go. None = it is not made yet. Of no meaning in another
    region."""
    kubernetes: str = ""
    context: str | None = None
    """Only for cloud `existing`."""
    access: Access | None = None
    """None = private: a program alone does not know from where it is run."""
    control_plane_per_hour: float = Field(default=0, ge=0)
    pools: list[PoolPlacement] = Field(default_factory=list)
    hosts: list[HostPlacement] = Field(default_factory=list)
    """Only on-prem; the first runs the control plane."""
    external_address: str | None = None
    """Where hosts and users reach the control plane; None = the first host's. Only on-prem."""
    installer: str | None = None
    """Of k3s; None = its own. Only on-prem."""


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
            + sum(pool.count * pool.price_per_node_hour for pool in cluster.pools)
            for cluster in self.clusters
        )
        return round(exact, 6)

"""What the agent is told of money: the recorded prices and the lease. Pure: no pulumi."""

from __future__ import annotations

from typing import Any

from components.lease import Lease
from components.placement import ClusterPlacement, Placement, PoolPlacement

__all__ = ["bill_of"]


def bill_of(lease: Lease, placement: Placement, cluster: ClusterPlacement) -> dict[str, Any]:
    """For the agent of one cluster (`colony.agent.metrics`); JSON."""
    pools = [_pool(pool) for pool in cluster.pools]
    if cluster.control_plane_per_hour:
        rate = cluster.control_plane_per_hour
        pools.append({"name": "control-plane", "usd_per_hour": rate})
    return {
        "colony": lease.colony,
        "cluster": cluster.name,
        "created": lease.created,
        "expires": lease.expires,
        "budget_usd": lease.budget_usd,
        "usd_per_hour": placement.price_per_hour,
        "pools": pools,
    }


def _pool(pool: PoolPlacement) -> dict[str, Any]:
    return {
        "name": pool.name,
        "usd_per_hour": round(pool.nodes * pool.price_per_node_hour, 6),
        "accelerator": pool.accelerator or "",
        "accelerators": pool.nodes * pool.accelerator_count,
    }

"""The nodes of a pool as Kubernetes sees them: labels, taints, and what pods can have of them.

Pure: no pulumi.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.clusters.abilities import Reserve, facts_of, kinds
from components.placement import ClusterPlacement, PoolPlacement

__all__ = [
    "ACCELERATOR_LABEL", "GPU_RESOURCE", "GPU_TAINT", "POOL_LABEL", "NodePool", "Taint",
    "allocatable", "in_turn", "labels_of", "node_pools", "taints_of", "tolerations_of",
]  # fmt: skip

ACCELERATOR_LABEL = "colony.dev/accelerator"
POOL_LABEL = "colony.dev/pool"
GPU_RESOURCE = "nvidia.com/gpu"
"""Extended resource and taint key of NVIDIA GPUs."""

_DAEMONS_CPU, _DAEMONS_GIB = 0.5, 1.0
"""Requested on each GPU node by what runs on all nodes: network, metrics, drivers' helpers."""


@dataclass(frozen=True)
class Taint:
    """Keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: str = "NoSchedule"

    @property
    def toleration(self) -> dict[str, Any]:
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": self.effect}


GPU_TAINT = Taint(GPU_RESOURCE, "present")
"""The same on every cloud: GKE gives it by itself."""


@dataclass(frozen=True)
class NodePool:
    """One pool of a cluster."""

    name: str
    nodes: int
    cpus: float
    """Allocatable: what pods can have of one node. 0 = not known."""
    memory_gib: float
    gpus: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


def node_pools(placement: ClusterPlacement, *more: Taint) -> list[NodePool]:
    """What the placement's pools are once built; `more` are taints that the cloud gives to spot
    nodes by itself."""
    return [
        NodePool(
            pool.name, pool.nodes, *allocatable(pool, placement.cloud), pool.accelerator_count,
            labels_of(pool), taints_of(pool, *more),
        )
        for pool in placement.pools
    ]  # fmt: skip


def in_turn(
    pools: Sequence[PoolPlacement],
) -> tuple[list[PoolPlacement], list[PoolPlacement]]:
    """Those to buy first, and those to buy when the first are there: pools with accelerators, which
    cost most, wait for nodes that the rest can run on. Without such nodes nothing waits."""
    first = [pool for pool in pools if not pool.accelerator_count]
    if not any(pool.count if pool.min_nodes is None else pool.min_nodes for pool in first):
        return list(pools), []
    return first, [pool for pool in pools if pool.accelerator_count]


def labels_of(pool: PoolPlacement) -> dict[str, str]:
    """What jobs and queues select nodes by."""
    labels = {POOL_LABEL: pool.name}
    if pool.accelerator:
        labels[ACCELERATOR_LABEL] = pool.accelerator
    return labels


def taints_of(pool: PoolPlacement, *spot: Taint) -> tuple[Taint, ...]:
    """GPU nodes are for those who need GPUs; `spot` is what the cloud itself puts on spot nodes."""
    own = (GPU_TAINT,) if pool.accelerator_count else ()
    return (*own, *spot) if pool.spot else own


def tolerations_of(pools: Iterable[NodePool]) -> list[dict[str, Any]]:
    """What pods must say to come onto any of the pools, beside the GPU's own."""
    taints = dict.fromkeys(taint for pool in pools for taint in pool.taints)
    return [taint.toleration for taint in taints if taint.key != GPU_RESOURCE]


def allocatable(pool: PoolPlacement, cloud: str) -> tuple[float, float]:
    """(cores, GiB) that pods of ours can have of one node; (0, 0) where its size is unknown."""
    if not pool.cpus or not pool.memory_gib or cloud not in kinds():
        return pool.cpus, pool.memory_gib
    kept = facts_of(cloud).allocatable
    daemons = (_DAEMONS_CPU, _DAEMONS_GIB) if pool.accelerator_count else (0.0, 0.0)
    cpus = pool.cpus - _in_turn(pool.cpus, kept.cpu) - daemons[0]
    memory = pool.memory_gib - _memory(pool.memory_gib, kept.memory_mib) / 1024 - daemons[1]
    return round(max(0.0, cpus), 3), round(max(0.0, memory), 3)


def _memory(gib: float, reserve: Reserve) -> float:
    by_pods = min(reserve.fixed + reserve.per_pod * reserve.pods, reserve.most_share * gib * 1024)
    return by_pods + _in_turn(gib, reserve.brackets) * 1024 + reserve.eviction


def _in_turn(amount: float, brackets: list[tuple[float | None, float]]) -> float:
    """The sum over brackets of the share of what of the amount lies in each."""
    total, left = 0.0, amount
    for width, share in brackets:
        part = left if width is None else min(left, width)
        total, left = total + part * share, left - part
    return total

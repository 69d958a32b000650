"""Whether the GPU nodes of a cluster can be used: the readiness gate. Pure.

A machine that is bought and joined is of no use before its device plugin has told the kubelet what
it has; a job would wait for it, and nobody would know what for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from components.clusters.nodes import GPU_RESOURCE, POOL_LABEL
from components.placement import ClusterPlacement, PoolPlacement
from jobs.accelerators import find
from jobs.rdma import rdma_for

__all__ = ["lacking"]

Node = Mapping[str, Any]


def lacking(place: ClusterPlacement, nodes: Sequence[Node], served: Collection[str]) -> list[str]:
    """What of the GPU pools is not there yet, in words; empty = every GPU node can be used.

    `served` are the resources that the cluster's layers make known: a network that GPUs use
    directly is waited for only where something makes it one.
    """
    pools = [pool for pool in place.pools if pool.accelerator_count]
    return [text for pool in pools for text in _of_pool(pool, nodes, served)]


def _of_pool(pool: PoolPlacement, nodes: Sequence[Node], served: Collection[str]) -> list[str]:
    mine = [node for node in nodes if _labels(node).get(POOL_LABEL) == pool.name]
    ready = [node for node in mine if _is_ready(node)]
    # A pool that scales begins with its least, and each node that it has must be whole.
    wanted = max(len(mine), pool.nodes if pool.min_nodes is None else pool.min_nodes)
    late = []
    if len(ready) < wanted:
        late.append(f"{len(ready)} of {wanted} nodes of pool {pool.name} are ready")
    for name, count in _devices(pool, served).items():
        whole = sum(_allocatable(node, name) >= count for node in ready)
        if whole < wanted:
            of_pool = f"of {wanted} nodes of pool {pool.name}"
            late.append(f"{whole} {of_pool} have {count} of {name} to give")
    return late


def _devices(pool: PoolPlacement, served: Collection[str]) -> dict[str, int]:
    """What each node must report. A GPU that is cut into parts reports more than itself."""
    found = find(pool.accelerator or "")
    devices = {found.resource if found else GPU_RESOURCE: pool.accelerator_count}
    rdma = rdma_for(pool.instance_type)
    network = {**rdma.devices, **rdma.shared} if rdma else {}
    return {**devices, **{name: n for name, n in network.items() if name in served}}


def _labels(node: Node) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}


def _is_ready(node: Node) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _allocatable(node: Node, name: str) -> int:
    text = str(((node.get("status") or {}).get("allocatable") or {}).get(name, "0"))
    return int(text) if text.isdigit() else 0

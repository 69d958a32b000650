"""The system pool, that the cluster is made with, and the others, one agent pool each."""

from __future__ import annotations

from typing import Any, TypeAlias

import pulumi
from pulumi_azure_native import compute, containerservice

from components.clusters.azure.data import aks, compact, image_of, pool_name, spot_taint, zones_of
from components.clusters.nodes import labels_of, taints_of
from components.ignored import ignored
from components.placement import ClusterPlacement, PoolPlacement
from components.pool_spec import Capacity

__all__ = ["build_groups", "build_pool", "profile"]

Groups: TypeAlias = "dict[str, compute.ProximityPlacementGroup]"


def build_groups(
    name: str,
    placement: ClusterPlacement,
    group: pulumi.Input[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> Groups:
    """Placement groups by pool, made before the cluster and so gone after it.

    https://learn.microsoft.com/azure/aks/reduce-latency-ppg
    """
    return {
        pool.name: compute.ProximityPlacementGroup(
            f"{name}-{pool.name}",
            resource_group_name=group,
            location=placement.region,
            proximity_placement_group_type=aks()["nodes"]["group"],
            # The data centre is chosen for the size, not by whichever machine comes first.
            intent={"vm_sizes": [pool.instance_type]},
            zones=zones_of(pool, placement) or None,
            tags=tags,
            opts=opts,
        )
        for pool in placement.pools
        if compact(pool)
    }


def build_pool(
    name: str,
    pool: PoolPlacement,
    placement: ClusterPlacement,
    cluster: containerservice.ManagedCluster,
    group: pulumi.Input[str],
    groups: Groups,
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> containerservice.AgentPool:
    """Without accelerators it goes with its cluster, which takes twice as long as a pool alone."""
    common = {key: value for key, value in profile(pool, placement, tags).items() if key != "name"}
    return containerservice.AgentPool(
        f"{name}-{pool.name}",
        agent_pool_name=pool_name(pool.name),
        resource_group_name=group,
        resource_name_=cluster.name,
        proximity_placement_group_id=groups[pool.name].id if pool.name in groups else None,
        **{**common, "mode": "User"},
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                deleted_with=None if pool.accelerator_count else cluster,
                ignore_changes=ignored(
                    "azure-native:containerservice:AgentPool",
                    *(["scales"] if pool.min_nodes is not None else []),
                ),
                custom_timeouts=pulumi.CustomTimeouts(**aks()["timeouts"]["nodes"]),
            ),
        ),
    )


def profile(
    pool: PoolPlacement, placement: ClusterPlacement, tags: dict[str, str]
) -> dict[str, Any]:
    """The arguments that a system pool and an agent pool share.

    https://learn.microsoft.com/azure/aks/create-node-pools
    """
    nodes = aks()["nodes"]
    return {
        "name": pool_name(pool.name),
        "mode": "System",
        "type": nodes["kind"],
        "vm_size": pool.instance_type,
        "count": pool.count if pool.min_nodes is None else pool.min_nodes,
        "os_type": nodes["system"],
        "os_sku": nodes["image"],
        "os_disk_size_gb": pool.disk or nodes["disk"]["size_gib"],
        "enable_node_public_ip": False,
        "node_labels": labels_of(pool),
        "tags": tags,
        **({"availability_zones": zones} if (zones := zones_of(pool, placement)) else {}),
        **({"node_taints": taints} if (taints := _taints(pool)) else {}),
        **_scaling(pool),
        **_bought(pool),
        **({"gpu_profile": {"driver": image_of(pool)["driver"]}} if pool.accelerator_count else {}),
    }


def _taints(pool: PoolPlacement) -> list[str]:
    """With the one that AKS gives to spot nodes: what is not said would be a difference."""
    taints = taints_of(pool, spot_taint())
    return [f"{taint.key}={taint.value}:{taint.effect}" for taint in taints]


def _scaling(pool: PoolPlacement) -> dict[str, Any]:
    if pool.min_nodes is None:
        return {"enable_auto_scaling": False}
    least = min(pool.min_nodes, pool.count)
    return {"enable_auto_scaling": True, "min_count": least, "max_count": pool.nodes}


def _bought(pool: PoolPlacement) -> dict[str, Any]:
    if pool.capacity is Capacity.SPOT:
        spot = aks()["nodes"]["spot"]
        return {
            "scale_set_priority": spot["priority"],
            "scale_set_eviction_policy": spot["eviction"],
            "spot_max_price": spot["max_price"],
        }
    reserved = {"capacity_reservation_group_id": pool.reservation} if pool.reservation else {}
    return {"scale_set_priority": "Regular", **reserved}

"""Node pools, one a pool of the placement, each in one zone."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.clusters.gcp.data import (
    accelerator_of,
    compact,
    disk_type,
    gke,
    image_of,
    zone_of,
)
from components.clusters.nodes import GPU_TAINT, labels_of
from components.ignored import ignored
from components.placement import ClusterPlacement, PoolPlacement
from components.tags import short_name

__all__ = ["build_pool", "first_nodes", "size_of"]

NAME_LIMIT = 32
"""Of the 40 characters of a pool's name, eight are the engine's own."""


def build_pool(
    name: str,
    pool: PoolPlacement,
    placement: ClusterPlacement,
    cluster: gcp.container.Cluster,
    account: pulumi.Input[str],
    labels: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> gcp.container.NodePool:
    """https://cloud.google.com/kubernetes-engine/docs/how-to/node-pools

    A later lease changes labels in place; the taint is the one that GKE sets itself.
    """
    data = gke()["nodes"]
    return gcp.container.NodePool(
        short_name(name, pool.name, limit=NAME_LIMIT),
        cluster=cluster.name,
        location=placement.region,
        node_locations=[zone_of(pool, placement)],
        version=cluster.master_version,
        management=data["management"],
        upgrade_settings=data["upgrade"],
        placement_policy={"type": data["compact"]} if compact(pool) else None,
        node_config=_node(pool, account, labels),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                ignore_changes=ignored(
                    "gcp:container/nodePool:NodePool",
                    *(["scales"] if pool.min_nodes is not None else []),
                ),
                custom_timeouts=pulumi.CustomTimeouts(**gke()["timeouts"]["nodes"]),
            ),
        ),
        **size_of(pool),
    )


def first_nodes(account: pulumi.Input[str], labels: dict[str, str]) -> dict[str, Any]:
    """The pool that GKE makes with a cluster, as small and as closed as the others."""
    first = gke()["nodes"]["first"]
    return {
        "machine_type": first["machine_type"],
        "disk_size_gb": first["disk_size_gib"],
        **_closed(account, labels, secure_boot=True),
    }


def size_of(pool: PoolPlacement) -> dict[str, Any]:
    """A count in all of the zones together: there is one."""
    if pool.min_nodes is None:
        return {"node_count": pool.count}
    least = min(pool.min_nodes, pool.count)
    bounds = {"total_min_node_count": least, "total_max_node_count": pool.nodes}
    return {
        "initial_node_count": pool.min_nodes,
        "autoscaling": {**bounds, **gke()["nodes"]["autoscaling"]},
    }


def _node(
    pool: PoolPlacement, account: pulumi.Input[str], labels: dict[str, str]
) -> dict[str, Any]:
    image = image_of(pool)
    boot = bool(image["secure_boot"]) or not pool.accelerator_count
    return {
        "machine_type": pool.instance_type,
        "image_type": image["type"],
        "disk_size_gb": pool.disk or gke()["nodes"]["disk"]["size_gib"],
        "disk_type": disk_type(pool),
        "gvnic": {"enabled": True},
        "labels": _labels(pool),
        **_closed(account, labels, secure_boot=boot),
        **_accelerated(pool),
        **_bought(pool),
        **_scratch(pool),
    }


def _closed(
    account: pulumi.Input[str], labels: dict[str, str], secure_boot: bool
) -> dict[str, Any]:
    identity, nodes = gke()["identity"], gke()["nodes"]
    return {
        "service_account": account,
        "oauth_scopes": identity["scopes"],
        "workload_metadata_config": {"mode": identity["node_metadata"]},
        "metadata": nodes["metadata"],
        "shielded_instance_config": {
            "enable_secure_boot": secure_boot,
            "enable_integrity_monitoring": True,
        },
        "resource_labels": labels,
    }


def _accelerated(pool: PoolPlacement) -> dict[str, Any]:
    if not pool.accelerator_count:
        return {}
    nodes = gke()["nodes"]
    gpus = {
        "type": accelerator_of(pool),
        "count": pool.accelerator_count,
        "gpu_driver_installation_config": {"gpu_driver_version": nodes["driver"]},
    }
    taint = {"key": GPU_TAINT.key, "value": GPU_TAINT.value, "effect": nodes["taint_effect"]}
    return {"guest_accelerators": [gpus], "taints": [taint]}


def _bought(pool: PoolPlacement) -> dict[str, Any]:
    """On demand says nothing: then a reservation that is open to all is used up first."""
    if pool.spot:
        return {"spot": True}
    if not pool.reservation:
        return {}
    reserved = gke()["nodes"]["reservation"]
    return {
        "reservation_affinity": {
            "consume_reservation_type": reserved["type"],
            "key": reserved["key"],
            "values": [pool.reservation],
        }
    }


def _scratch(pool: PoolPlacement) -> dict[str, Any]:
    disks = gke()["nodes"]["local_ssd"].get(pool.instance_type)
    return {"ephemeral_storage_local_ssd_config": {"local_ssd_count": disks}} if disks else {}


def _labels(pool: PoolPlacement) -> dict[str, str]:
    more = gke()["nodes"]["driver_label"] if pool.accelerator_count else {}
    return {**labels_of(pool), **more}

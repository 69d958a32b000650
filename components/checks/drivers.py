"""Drivers and what stands under them. Each rule yields what would hang or be there twice."""

from __future__ import annotations

from collections.abc import Iterator

from components.checks.cluster import Cluster
from components.site import image_facts
from jobs.errors import Problem

__all__ = ["driver_twice", "k3s_socket", "no_quota", "rdma_without_policy"]

K3S_SOCKET = "/run/k3s/containerd/containerd.sock"


def rdma_without_policy(cluster: Cluster) -> Iterator[Problem]:
    rdma = cluster.value("gpu-operator", "driver.rdma", {})
    if not rdma.get("enabled") or rdma.get("useHostMofed"):
        return
    if not cluster.value("gpu-operator", "driver.enabled", True):
        return
    if "network-operator" in cluster.kept:
        return
    objects = [manifest for layer in cluster.layers for manifest in layer.after]
    if not any(manifest["kind"] == "NicClusterPolicy" for manifest in objects):
        yield Problem(
            "layers.gpu-operator.values.driver.rdma.enabled",
            "the driver waits for ever for a network driver, as nothing makes a NicClusterPolicy",
            "layers.network-operator: on, or driver.rdma.useHostMofed: true",
        )


def driver_twice(cluster: Cluster) -> Iterator[Problem]:
    """The node image brings the driver or the toolkit, and the operator would install it again."""
    facts = image_facts(cluster.site.node_image)
    for part in ("driver", "toolkit"):
        if part in facts and cluster.value("gpu-operator", f"{part}.enabled", False):
            yield Problem(
                f"layers.gpu-operator.values.{part}.enabled",
                f"the node image {cluster.site.node_image} brings the {part} already",
                f"{part}.enabled: false",
            )


def no_quota(cluster: Cluster) -> Iterator[Problem]:
    if cluster.site.cloud != "gcp":
        return
    for chosen in cluster.layers:
        system = chosen.layer.priority_classes
        there = any(manifest["kind"] == "ResourceQuota" for manifest in chosen.before)
        if system and not there and chosen.layer.namespace != "kube-system":
            yield Problem(
                f"layers.{chosen.name}",
                f"GKE admits its pods of {', '.join(system)} only within a ResourceQuota",
                "make one in its namespace before the release",
            )


def k3s_socket(cluster: Cluster) -> Iterator[Problem]:
    if cluster.site.node_image != "k3s" or cluster.layer("gpu-operator") is None:
        return
    if not cluster.value("gpu-operator", "toolkit.enabled", True):
        return
    if cluster.value("gpu-operator", "cdi.nriPluginEnabled", False):
        return
    env = cluster.value("gpu-operator", "toolkit.env", [])
    if {"name": "CONTAINERD_SOCKET", "value": K3S_SOCKET} not in env:
        yield Problem(
            "layers.gpu-operator.values.toolkit.env",
            "k3s has its own containerd, and the toolkit would restart another one",
            f"CONTAINERD_SOCKET: {K3S_SOCKET}",
        )

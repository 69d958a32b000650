"""How a cluster of ours is reached once it is up, and what it shows of itself: the same for all."""

from __future__ import annotations

from typing import Any, Protocol

import pulumi
import pulumi_kubernetes as kubernetes

from components.isolation import count_of

__all__ = ["outputs_of", "provider_of"]


class Reached(Protocol):
    """Of a cluster what this needs."""

    identifier: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    ready: list[pulumi.Resource]


def provider_of(cluster: Reached, component: pulumi.Resource, prefix: str) -> kubernetes.Provider:
    """Of its API server; the identifier tells another cluster from another kubeconfig."""
    return kubernetes.Provider(
        f"{prefix}-kubernetes",
        kubeconfig=cluster.kubeconfig,
        cluster_identifier=cluster.identifier,
        opts=pulumi.ResourceOptions(parent=component),
    )


def outputs_of(cluster: Reached) -> dict[str, pulumi.Output[Any]]:
    """What the component registers."""
    return {
        "identifier": cluster.identifier,
        "kubeconfig": cluster.kubeconfig,
        "ready": count_of(cluster.ready),
    }

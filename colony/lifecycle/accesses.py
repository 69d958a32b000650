"""The clusters of a colony that is there, as its state and outputs name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colony.lifecycle.ground import ClusterAccess, Ground
from colony.lifecycle.state import cluster_identifiers, live_clusters

__all__ = ["accesses_of"]


def accesses_of(ground: Ground, deployment: Mapping[str, Any]) -> dict[str, ClusterAccess]:
    """By the placement's name of each cluster that is up."""
    live = {cluster.identifier: cluster for cluster in live_clusters(deployment)}
    return {
        name: ground.cluster(live[identifier])
        for name, identifier in cluster_identifiers(deployment).items()
        if identifier in live
    }

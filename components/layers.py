"""A layer as a Helm release: real Helm, pinned, atomic, bounded."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

import charts
from components.clusters.base import Cluster
from components.objects import inside
from components.spec import LayerChoice

__all__ = ["build_layers"]

SLACK = 300
"""Seconds the engine waits longer than Helm, so that Helm's own words are seen."""


def build_layers(
    name: str, cluster: Cluster, layers: list[tuple[charts.Layer, LayerChoice]]
) -> dict[str, pulumi.Resource]:
    """The releases by layer, each after what it needs. `layers` are in order."""
    releases: dict[str, pulumi.Resource] = {}
    for layer, choice in layers:
        before = [*layer.needs, *layer.after]
        needs = [releases[each] for each in before if each in releases]
        releases[layer.name] = _release(name, cluster, layer, choice, needs)
    return releases


def _release(
    name: str,
    cluster: Cluster,
    layer: charts.Layer,
    choice: LayerChoice,
    needs: list[pulumi.Resource],
) -> pulumi.Resource:
    cloud = cluster.placement.cloud
    opts = inside(cluster, [*needs, *_namespace(name, cluster, layer)])
    limit = f"{layer.timeout + SLACK}s"
    release: pulumi.Resource = kubernetes.helm.v3.Release(
        f"{name}-{layer.name}",
        name=layer.name,
        chart=charts.reference(layer),
        version=layer.version,
        repository_opts={"repo": layer.repository} if layer.repository else None,
        namespace=layer.namespace,
        create_namespace=cluster.owner is not None,
        atomic=True,
        cleanup_on_fail=True,
        timeout=layer.timeout,
        values=charts.values(layer, cloud, cluster.node_image, choice.values),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit, delete=limit)
            ),
        ),
    )
    return release


def _namespace(name: str, cluster: Cluster, layer: charts.Layer) -> list[pulumi.Resource]:
    """Helm leaves the namespaces that it makes; on a cluster that stays, ours must go."""
    if cluster.owner is not None:
        return []
    return [
        kubernetes.core.v1.Namespace(
            f"{name}-{layer.namespace}",
            metadata={"name": layer.namespace, "labels": layer.namespace_labels},
            opts=inside(cluster, []),
        )
    ]

"""What jobs need in a cluster beside layers: namespaces, a service account, queues."""

from __future__ import annotations

from typing import Any

import pulumi

from components.clusters.base import Cluster
from components.objects import KubernetesObject, inside, name_of

__all__ = ["build_namespaces", "build_queues"]


def build_queues(
    name: str, cluster: Cluster, manifests: list[dict[str, Any]], after: list[pulumi.Resource]
) -> list[pulumi.Resource]:
    """One resource a manifest; each kind waits for the kinds before it, and goes before them.

    `after` holds the release of the controller, without which finalizers would never be taken off.
    """
    made: list[pulumi.Resource] = []
    before: list[pulumi.Resource] = []
    kind = ""
    for manifest in manifests:
        if manifest["kind"] != kind:
            kind, before = manifest["kind"], list(made)
        opts = inside(cluster, [*after, *before])
        made.append(KubernetesObject(name_of(name, manifest), manifest, opts))
    return made


def build_namespaces(
    name: str, cluster: Cluster, namespaces: list[str], after: list[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Those that no cluster has from the start, and the pods' service account in each.

    `after`: Kueue, where plain pods queue: none of them is gone before it has let go of it.
    """
    made: list[pulumi.Resource] = []
    for space in namespaces:
        if space != "default":
            made.append(_plain(name, cluster, "Namespace", {"name": space}, after))
        if cluster.service_account:
            metadata: dict[str, Any] = {"name": cluster.service_account, "namespace": space}
            if cluster.service_account_annotations:
                metadata["annotations"] = cluster.service_account_annotations
            made.append(_plain(name, cluster, "ServiceAccount", metadata, list(made)))
    return made


def _plain(
    name: str,
    cluster: Cluster,
    kind: str,
    metadata: dict[str, Any],
    after: list[pulumi.Resource],
) -> pulumi.Resource:
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    words = [metadata["name"], *([metadata["namespace"]] if "namespace" in metadata else [])]
    logical = "-".join([name, kind.lower(), *words])
    return KubernetesObject(logical, manifest, inside(cluster, after, early=True))

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


def build_namespaces(name: str, cluster: Cluster, namespaces: list[str]) -> list[pulumi.Resource]:
    """Those that no cluster has from the start, and the pods' service account in each."""
    made: list[pulumi.Resource] = []
    for space in namespaces:
        if space != "default":
            made.append(_plain(name, cluster, "Namespace", {"name": space}, []))
        if cluster.service_account:
            metadata = {"name": cluster.service_account, "namespace": space}
            made.append(_plain(name, cluster, "ServiceAccount", metadata, list(made)))
    return made


def _plain(
    name: str,
    cluster: Cluster,
    kind: str,
    metadata: dict[str, str],
    after: list[pulumi.Resource],
) -> pulumi.Resource:
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    logical = "-".join([name, kind.lower(), *metadata.values()])
    return KubernetesObject(logical, manifest, inside(cluster, after))

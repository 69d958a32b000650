"""Objects in a cluster, as their manifests say: its own provider, gone with it where it is ours."""

from __future__ import annotations

from typing import Any

import pulumi

from components.clusters.base import Cluster
from components.ignored import ignored

__all__ = ["KubernetesObject", "inside", "name_of"]


class KubernetesObject(pulumi.CustomResource):
    """One manifest. The typed classes know no custom resource with fields beside its `spec`."""

    def __init__(self, name: str, manifest: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        version = manifest["apiVersion"]
        group = version if "/" in version else f"core/{version}"
        kind = f"kubernetes:{group}:{manifest['kind']}"
        left = pulumi.ResourceOptions(ignore_changes=ignored(kind))
        super().__init__(kind, name, dict(manifest), pulumi.ResourceOptions.merge(opts, left))


def inside(
    cluster: Cluster, after: list[pulumi.Resource], early: bool = False
) -> pulumi.ResourceOptions:
    """Options of everything in a cluster. `early`: it needs no nodes with accelerators."""
    return pulumi.ResourceOptions(
        parent=cluster.component,
        provider=cluster.provider,
        deleted_with=cluster.owner,
        depends_on=[*(cluster.base if early else cluster.ready), *after],
    )


def name_of(prefix: str, manifest: dict[str, Any]) -> str:
    """The logical name: the kind keeps objects of one name apart."""
    return f"{prefix}-{manifest['kind'].lower()}-{manifest['metadata']['name']}"

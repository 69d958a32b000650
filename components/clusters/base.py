"""What a cluster is asked and what it gives, and which kinds are built.

Light to import: the market asks `supported`, the components ask `kind`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from components.placement import ClusterPlacement
from jobs.errors import NotSupported, Problem
from jobs.spec import Job

if TYPE_CHECKING:
    import pulumi

__all__ = [
    "ACCELERATOR_LABEL",
    "GPU_RESOURCE",
    "POOL_LABEL",
    "Cluster",
    "ClusterKind",
    "ClusterRequest",
    "kind",
    "kinds",
    "node_selector",
    "supported",
]

ACCELERATOR_LABEL = "colony.dev/accelerator"
POOL_LABEL = "colony.dev/pool"
GPU_RESOURCE = "nvidia.com/gpu"
"""Extended resource and taint key of NVIDIA GPUs."""

_KINDS = {
    "aws": "components.clusters.aws.cluster:EksCluster",
    "existing": "components.clusters.existing.cluster:ExistingCluster",
}


@dataclass(frozen=True)
class ClusterRequest:
    """What every kind is asked."""

    colony: str
    placement: ClusterPlacement
    tags: dict[str, str] = field(default_factory=dict)
    """On everything billable."""
    kubeconfig: pulumi.Input[str] | None = None
    """Only for `existing`: text, or the path of a file."""
    outputs: list[str] = field(default_factory=list)
    """Where the jobs on it copy results to: URLs that its pods must be able to write."""
    namespaces: list[str] = field(default_factory=list)
    """Of the jobs on it."""


class Cluster(Protocol):
    """What every kind gives."""

    placement: ClusterPlacement
    node_image: str
    """Which layer variants fit the GPU nodes."""
    labelled: bool
    """Do the nodes carry ACCELERATOR_LABEL and POOL_LABEL?"""
    identifier: pulumi.Output[str]
    """Stable for the cluster's life, and never two clusters' at once."""
    kubeconfig: pulumi.Output[str]
    """Secret."""
    provider: pulumi.ProviderResource
    """Usable once the nodes and what they need are up."""
    owner: pulumi.Resource | None
    """What every in-cluster object is `deleted_with`; None where the cluster is not ours."""
    component: pulumi.ComponentResource
    """The parent of in-cluster objects."""
    service_account: str | None
    """What pods with outputs run as; it has to be made in each of their namespaces."""


class ClusterKind(Protocol):
    """The class of a kind: refuses what it cannot build before it registers anything."""

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None: ...

    def __call__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> Cluster: ...


def kinds() -> list[str]:
    """The clouds whose cluster kind is built."""
    return sorted(_KINDS)


def supported(cloud: str) -> bool:
    return cloud in _KINDS


def kind(cloud: str, path: str = "") -> ClusterKind:
    """The class for a cloud, imported now. NotSupported where it is not built yet."""
    if not supported(cloud):
        hint = f"built so far: {', '.join(kinds())}"
        raise NotSupported(Problem(path, f"clusters on {cloud!r} are not built yet", hint))
    module, name = _KINDS[cloud].split(":")
    found: Any = getattr(importlib.import_module(module), name)
    return cast(ClusterKind, found)


def node_selector(job: Job, placement: ClusterPlacement, labelled: bool) -> dict[str, str]:
    """The label of the job's accelerator; empty where roles differ or nodes carry no labels."""
    wanted = _accelerators(job)
    have = {pool.accelerator for pool in placement.pools if pool.accelerator}
    if not labelled or len(wanted) != 1 or not wanted <= have:
        return {}
    return {ACCELERATOR_LABEL: str(next(iter(wanted)))}


def _accelerators(job: Job) -> set[str | None]:
    needs = [role.resources or job.resources for role in job.roles.values()] or [job.resources]
    return {need.accelerators.split(":")[0] if need.accelerators else None for need in needs}

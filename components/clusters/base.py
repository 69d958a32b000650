"""What a cluster is asked and what it gives: one interface for every kind.

A kind is a folder with a `kind.yaml` (its class and abilities, see `abilities`). Light to import:
the market asks `kinds`, the components ask `kind`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from components.clusters.abilities import facts_of, kinds
from components.clusters.nodes import (
    ACCELERATOR_LABEL,
    GPU_RESOURCE,
    POOL_LABEL,
    NodePool,
    tolerations_of,
)
from components.placement import ClusterPlacement
from jobs.errors import NotSupported
from jobs.problems import kindless
from jobs.spec import Job

if TYPE_CHECKING:
    import pulumi

__all__ = [
    "ACCELERATOR_LABEL",
    "DRAINED",
    "GPU_RESOURCE",
    "POOL_LABEL",
    "Cluster",
    "ClusterKind",
    "ClusterRequest",
    "kind",
    "kinds",
    "node_selector",
    "supported",
    "tolerations",
]

DRAINED = ("Service", "PersistentVolumeClaim")
"""Objects whose controllers make things in the cloud that would outlive an own cluster."""


@dataclass(frozen=True)
class ClusterRequest:
    """What every kind is asked."""

    colony: str
    placement: ClusterPlacement
    """Version, region, zones, pools, and who may reach the API server."""
    tags: dict[str, str] = field(default_factory=dict)
    """On everything billable."""
    kubeconfig: pulumi.Input[str] | None = None
    """Only for `existing`: text, or the path of a file."""
    ssh_key: pulumi.Input[str] | None = None
    """Only for `onprem`: the private key of its hosts; None = the ssh agent's."""
    outputs: list[str] = field(default_factory=list)
    """Where the jobs on it copy results to: URLs that its pods must be able to write."""
    inputs: list[str] = field(default_factory=list)
    """What they copy in: URLs that its pods must be able to read."""
    namespaces: list[str] = field(default_factory=list)
    """Of the jobs on it."""


class Cluster(Protocol):
    """What every kind gives."""

    placement: ClusterPlacement
    cluster_name: pulumi.Output[str]
    """The cloud's own: what its tools call the cluster, and what it tags things with."""
    pools: list[NodePool]
    """As the nodes will be: labels, taints, allocatable cores and memory."""
    tags: dict[str, str]
    """On everything billable; empty where the cluster is not ours."""
    billable: list[pulumi.Resource]
    """What is paid for by the hour and made by the program: the control plane and the pools."""
    drained: tuple[str, ...]
    """Kinds of objects that have to be gone before the cluster; DRAINED where it is ours."""
    node_image: str
    """Which layer variants fit the GPU nodes."""
    labelled: bool
    """Do the nodes carry ACCELERATOR_LABEL and POOL_LABEL?"""
    identifier: pulumi.Output[str]
    """Stable for the cluster's life, and never two clusters' at once."""
    kubeconfig: pulumi.Output[str]
    """Secret."""
    provider: pulumi.ProviderResource
    """Usable once all of `ready` is up; it waits for nothing itself (`components.isolation`)."""
    base: list[pulumi.Resource]
    """Of `ready` what is there without accelerators: what runs on other nodes depends on it alone.
    All of `ready` where no other nodes are bought."""
    ready: list[pulumi.Resource]
    """The nodes and what they need: every other in-cluster object depends on them."""
    owner: pulumi.Resource | None
    """What every in-cluster object is `deleted_with`; None where the cluster is not ours."""
    component: pulumi.ComponentResource
    """The parent of in-cluster objects."""
    service_account: str | None
    """What pods with outputs run as; it has to be made in each of their namespaces."""
    service_account_annotations: dict[str, pulumi.Input[str]]
    """By which the cloud knows it."""
    service_account_pod_labels: dict[str, str]
    """On the pods that run as it, where the cloud looks at those."""


class ClusterKind(Protocol):
    """The class of a kind: refuses what it cannot build before it registers anything."""

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None: ...

    def __call__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> Cluster: ...


def supported(cloud: str) -> bool:
    return cloud in kinds()


def kind(cloud: str, path: str = "") -> ClusterKind:
    """The class for a cloud, imported now. NotSupported where it is not built yet."""
    if not supported(cloud):
        raise NotSupported(kindless(cloud, kinds(), path))
    module, name = facts_of(cloud).cls.split(":")
    found: Any = getattr(importlib.import_module(module), name)
    return cast(ClusterKind, found)


def node_selector(job: Job, placement: ClusterPlacement, labelled: bool) -> dict[str, str]:
    """The label of the job's accelerator; empty where roles differ or nodes carry no labels."""
    wanted = _accelerators(job)
    have = {pool.accelerator for pool in placement.pools if pool.accelerator}
    if not labelled or len(wanted) != 1 or not wanted <= have:
        return {}
    return {ACCELERATOR_LABEL: str(next(iter(wanted)))}


def tolerations(job: Job, pools: list[NodePool]) -> list[dict[str, Any]]:
    """Of the taints on the pools that the job can run on, beside that of the GPUs."""
    wanted = _accelerators(job)
    mine = [pool for pool in pools if pool.labels.get(ACCELERATOR_LABEL) in wanted]
    return tolerations_of(mine)


def _accelerators(job: Job) -> set[str | None]:
    needs = [role.resources or job.resources for role in job.roles.values()] or [job.resources]
    return {need.accelerators.split(":")[0] if need.accelerators else None for need in needs}

"""The user's own cluster: used, never owned. Nothing in it is deleted with it."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from components.clusters.base import ClusterRequest
from components.clusters.nodes import NodePool
from components.placement import ClusterPlacement
from jobs.errors import InputError, Problem

__all__ = ["ExistingCluster"]


class ExistingCluster(pulumi.ComponentResource):
    """An explicit provider for a kubeconfig, a context, or both."""

    node_image = "unknown"
    labelled = False
    owner = None
    drained = ()
    service_account = None

    def __init__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        placement = request.placement
        super().__init__("colony:index:ExistingCluster", name, {"context": placement.context}, opts)
        self.component = self
        self.base: list[pulumi.Resource] = []
        self.ready: list[pulumi.Resource] = []
        self.service_account_annotations: dict[str, pulumi.Input[str]] = {}
        self.service_account_pod_labels: dict[str, str] = {}
        self.placement = placement
        self.pools: list[NodePool] = []
        self.tags: dict[str, str] = {}
        self.billable: list[pulumi.Resource] = []
        self.cluster_name = pulumi.Output.from_input(placement.context or "")
        self.identifier = pulumi.Output.from_input(f"existing/{placement.context}")
        self.kubeconfig = pulumi.Output.secret(request.kubeconfig or "")
        self.provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig if request.kubeconfig is not None else None,
            context=placement.context,
            cluster_identifier=self.identifier,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"identifier": self.identifier, "ready": 0})

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None:
        """InputError without a context: the current one must not be used by accident."""
        if not placement.context:
            where = f"clusters.{placement.name}.context"
            raise InputError(Problem(where, "an existing cluster needs its kubeconfig context"))

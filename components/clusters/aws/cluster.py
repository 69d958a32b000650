"""An EKS cluster complete enough to train on (`eks.yaml` holds the choices and their sources)."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.clusters.aws import data
from components.clusters.aws.identity import Identity, build_output_identity, build_role
from components.clusters.aws.network import Network, build_network
from components.clusters.aws.pools import build_pool
from components.clusters.aws.templates import build_templates
from components.clusters.base import DRAINED, ClusterRequest
from components.clusters.nodes import in_turn, node_pools
from components.clusters.reached import outputs_of, provider_of
from components.isolation import contained
from components.kubeconfig import exec_kubeconfig
from components.placement import ClusterPlacement, PoolPlacement
from components.tags import short_name

__all__ = ["EksCluster"]

NAME_LIMIT = 48
"""Leaves room for the longest suffix and the engine's own within IAM's 64 characters."""


class EksCluster(pulumi.ComponentResource):
    """VPC, roles, control plane, add-ons and pools of one cluster, all lease-tagged."""

    node_image = data.GPU_NODE_IMAGE
    labelled = True
    drained = DRAINED

    def __init__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        placement = request.placement
        props = {"region": placement.region, "pools": [p.model_dump() for p in placement.pools]}
        super().__init__("colony:index:EksCluster", name, props, contained(opts))
        self.component = self
        self.placement = placement
        self._prefix = short_name(name, limit=NAME_LIMIT)
        self.pools = node_pools(placement)
        self.tags = request.tags
        self._outputs = [url for url in request.outputs if url.startswith("s3://")]
        self._inputs = [url for url in request.inputs if url.startswith("s3://")]
        self._opts = pulumi.ResourceOptions(parent=self, provider=self._cloud())

        network = build_network(self._prefix, placement, self.tags, self._opts)
        self.owner: aws.eks.Cluster = self._control_plane(network)
        self.cluster_name: pulumi.Output[str] = self.owner.name
        self.identifier: pulumi.Output[str] = self.owner.arn
        self.billable: list[pulumi.Resource] = [self.owner]
        self.kubeconfig: pulumi.Output[str] = pulumi.Output.secret(self._kubeconfig())
        base, accelerated = self._nodes(network)
        self.base: list[pulumi.Resource] = [*base, *self._pod_identity(request.namespaces)]
        self.ready: list[pulumi.Resource] = [*self.base, *accelerated]
        self.provider = provider_of(self, self, self._prefix)
        self.register_outputs(outputs_of(self))

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None:
        """NotSupported, InputError: before anything is registered."""
        data.check(placement)

    def _cloud(self) -> aws.Provider:
        """`default_tags` catch whatever a later resource forgets.

        https://www.pulumi.com/registry/packages/aws/installation-configuration/
        """
        return aws.Provider(
            f"{self._prefix}-aws",
            region=self.placement.region,
            default_tags={"tags": self.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _role(self, kind: str) -> Identity:
        return build_role(self._prefix, kind, self.placement.region, self.tags, self._opts)

    def _control_plane(self, network: Network) -> aws.eks.Cluster:
        """https://docs.aws.amazon.com/eks/latest/userguide/create-cluster.html"""
        eks = data.eks()
        role = self._role("cluster")
        subnets = [*(network.private[zone] for zone in network.public), *network.public.values()]
        return aws.eks.Cluster(
            f"{self._prefix}-eks",
            role_arn=role.role.arn,
            version=self.placement.kubernetes or eks["kubernetes"]["version"],
            upgrade_policy={"support_type": eks["kubernetes"]["support"]},
            access_config={
                "authentication_mode": eks["access"]["mode"],
                "bootstrap_cluster_creator_admin_permissions": True,
            },
            vpc_config={
                "subnet_ids": [subnet.id for subnet in subnets],
                "endpoint_private_access": eks["endpoint"]["private"],
                **self._public_endpoint(),
            },
            # The add-ons below are EKS's managed ones instead.
            bootstrap_self_managed_addons=False,
            tags=self.tags,
            opts=self._with(role.attached, "cluster"),
        )

    def _public_endpoint(self) -> dict[str, Any]:
        """https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html"""
        given = self.placement.access
        if not given or not given.cidrs:
            return {"endpoint_public_access": False}
        return {"endpoint_public_access": True, "public_access_cidrs": given.cidrs}

    def _nodes(self, network: Network) -> tuple[list[pulumi.Resource], list[pulumi.Resource]]:
        """Add-ons and pools: what is there without accelerators, and the pools with them, which
        are not paid for before the others are there."""
        addons = data.eks()["addons"]
        names = [*addons["before_nodes"], *([addons["identity"]] if self._moves_data else [])]
        early = [self._addon(name, []) for name in names]
        role = self._role("node")
        templates = build_templates(
            self._prefix, self.placement, self.owner, network.vpc.id, self.tags, self._opts
        )
        before = [*role.attached, *network.routed, *early]

        def built(
            pools: list[PoolPlacement], after: list[pulumi.Resource]
        ) -> list[pulumi.Resource]:
            opts = self._with([*before, *after])
            return [
                build_pool(
                    self._prefix, pool, self.placement, self.owner, role.role.arn,
                    templates[pool.name], network, self.tags, opts,
                )
                for pool in pools
            ]  # fmt: skip

        first, later = in_turn(self.placement.pools)
        pools = built(first, [])
        accelerated = built(later, pools)
        self.billable += [*pools, *accelerated]
        return pools + [self._addon(name, pools) for name in addons["after_nodes"]], accelerated

    def _pod_identity(self, namespaces: list[str]) -> list[pulumi.Resource]:
        self.service_account: str | None = None
        self.service_account_annotations: dict[str, pulumi.Input[str]] = {}
        self.service_account_pod_labels: dict[str, str] = {}
        if not self._moves_data:
            return []
        self.service_account = data.eks()["roles"]["outputs"]["service_account"]
        region, tags = self.placement.region, self.tags
        return build_output_identity(
            self._prefix, self.owner, region, self._outputs, self._inputs, namespaces, tags,
            self._opts,
        )  # fmt: skip

    @property
    def _moves_data(self) -> bool:
        return bool(self._outputs or self._inputs)

    def _addon(self, addon: str, after: list[pulumi.Resource]) -> pulumi.Resource:
        """No version: EKS takes its default for the cluster's Kubernetes version."""
        conflicts = data.eks()["addons"]["conflicts"]
        made: pulumi.Resource = aws.eks.Addon(
            f"{self._prefix}-{addon}",
            cluster_name=self.owner.name,
            addon_name=addon,
            resolve_conflicts_on_create=conflicts,
            resolve_conflicts_on_update=conflicts,
            tags=self.tags,
            # Gone with the cluster: to delete one would only hold up the nodes before it.
            opts=pulumi.ResourceOptions.merge(
                self._with(after, "addon"), pulumi.ResourceOptions(deleted_with=self.owner)
            ),
        )
        return made

    def _with(
        self, after: list[pulumi.Resource], timeouts: str | None = None
    ) -> pulumi.ResourceOptions:
        limits = data.eks()["timeouts"].get(timeouts)
        return pulumi.ResourceOptions.merge(
            self._opts,
            pulumi.ResourceOptions(
                depends_on=after,
                custom_timeouts=pulumi.CustomTimeouts(**limits) if limits else None,
            ),
        )

    def _kubeconfig(self) -> pulumi.Output[str]:
        """https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html"""
        cluster, region = self.owner, self.placement.region
        command = data.eks()["token"]["command"]
        login = ["eks", "get-token", "--region", region, "--output", "json", "--cluster-name"]
        return pulumi.Output.json_dumps(
            pulumi.Output.all(cluster.name, cluster.endpoint, cluster.certificate_authority).apply(
                lambda known: exec_kubeconfig(
                    known[0], known[1], known[2]["data"], command, [*login, known[0]]
                )
            )
        )

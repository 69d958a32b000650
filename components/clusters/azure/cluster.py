"""An AKS cluster complete enough to train on (`aks.yaml` holds the choices and their sources)."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_azure_native as azure
from pulumi_azure_native import containerservice, resources

from components.clusters.azure import data
from components.clusters.azure.identity import build_admin, kubeconfig
from components.clusters.azure.outputs import build_output_identity
from components.clusters.azure.pools import build_groups, build_pool, profile
from components.clusters.base import DRAINED, ClusterRequest
from components.clusters.nodes import node_pools
from components.clusters.reached import outputs_of, provider_of
from components.isolation import contained
from components.placement import ClusterPlacement
from components.tags import short_name

__all__ = ["AksCluster"]

NAME_LIMIT = 40
"""A DNS prefix has at most 54 characters; the engine adds eight of its own to names."""


class AksCluster(pulumi.ComponentResource):
    """A resource group of its own, control plane with its system pool, and the other pools."""

    labelled = True
    drained = DRAINED

    def __init__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        placement = request.placement
        props = {"region": placement.region, "pools": [p.model_dump() for p in placement.pools]}
        super().__init__("colony:index:AksCluster", name, props, contained(opts))
        self.component = self
        self.placement = placement
        self.node_image = data.node_image(placement)
        self.pools = node_pools(placement, data.spot_taint())
        self.tags = request.tags
        self.service_account: str | None = None
        self.service_account_annotations: dict[str, pulumi.Input[str]] = {}
        self.service_account_pod_labels: dict[str, str] = {}
        self._prefix = short_name(name, limit=NAME_LIMIT)
        cloud = azure.Provider(
            f"{self._prefix}-azure",
            location=placement.region,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._opts = pulumi.ResourceOptions(parent=self, provider=cloud)
        self._build(self._group(), request)

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None:
        """NotSupported, InputError: before anything is registered."""
        data.check(placement)

    def _build(self, group: pulumi.Output[str], request: ClusterRequest) -> None:
        groups = build_groups(self._prefix, self.placement, group, self.tags, self._opts)
        self.owner: containerservice.ManagedCluster = self._control_plane(group, [*groups.values()])
        self.cluster_name: pulumi.Output[str] = self.owner.name
        self.identifier: pulumi.Output[str] = self.owner.id
        self.kubeconfig: pulumi.Output[str] = pulumi.Output.secret(
            kubeconfig(self.owner, group, self._opts)
        )
        system = data.system_pool(self.placement)
        pools: dict[str, pulumi.Resource] = {
            pool.name: build_pool(
                self._prefix, pool, self.placement, self.owner, group, groups, self.tags, self._opts
            )
            for pool in self.placement.pools
            if pool is not system
        }
        # The system pool comes with the cluster, so nothing has to wait for nodes of its own.
        later = {pool.name for pool in self.placement.pools if pool.accelerator_count}
        self.billable: list[pulumi.Resource] = [self.owner, *pools.values()]
        self.base: list[pulumi.Resource] = [
            *(made for name, made in pools.items() if name not in later),
            build_admin(self._prefix, self.owner, self._opts),
            *self._outputs(group, request),
        ]
        self.ready: list[pulumi.Resource] = [
            *self.base,
            *(made for name, made in pools.items() if name in later),
        ]
        self.provider = provider_of(self, self, self._prefix)
        self.register_outputs(outputs_of(self))

    def _outputs(self, group: pulumi.Output[str], request: ClusterRequest) -> list[pulumi.Resource]:
        if not data.blobs_of([*request.outputs, *request.inputs]):
            return []
        outputs = data.aks()["outputs"]
        made = build_output_identity(
            self._prefix,
            group,
            self.owner,
            request.outputs,
            request.inputs,
            request.namespaces,
            self.tags,
            self._opts,
        )
        self.service_account = outputs["service_account"]
        self.service_account_annotations = {outputs["annotation"]: made.client_id}
        self.service_account_pod_labels = outputs["pod_labels"]
        return made.granted

    def _group(self) -> pulumi.Output[str]:
        """https://learn.microsoft.com/azure/azure-resource-manager/management/manage-resource-groups-portal"""
        made = resources.ResourceGroup(
            self._prefix, location=self.placement.region, tags=self.tags, opts=self._opts
        )
        name: pulumi.Output[str] = made.name
        return name

    def _control_plane(
        self, group: pulumi.Output[str], after: list[pulumi.Resource]
    ) -> containerservice.ManagedCluster:
        """https://learn.microsoft.com/azure/aks/concepts-clusters-workloads"""
        aks, place = data.aks(), self.placement
        return containerservice.ManagedCluster(
            f"{self._prefix}-aks",
            resource_group_name=group,
            location=place.region,
            dns_prefix=self._prefix,
            kubernetes_version=place.kubernetes or aks["kubernetes"]["version"],
            support_plan=aks["kubernetes"]["support"],
            sku={"name": aks["tier"]["name"], "tier": aks["tier"]["tier"]},
            identity={"type": aks["identity"]["kind"]},
            agent_pool_profiles=[profile(data.system_pool(place), place, self.tags)],
            network_profile=_network(aks["network"]),
            auto_upgrade_profile={
                "upgrade_channel": aks["upgrades"]["cluster"],
                "node_os_upgrade_channel": aks["upgrades"]["nodes"],
            },
            **self._security(),
            tags=self.tags,
            opts=pulumi.ResourceOptions.merge(
                self._opts,
                pulumi.ResourceOptions(
                    depends_on=after,
                    custom_timeouts=pulumi.CustomTimeouts(**aks["timeouts"]["cluster"]),
                ),
            ),
        )

    def _security(self) -> dict[str, Any]:
        """Who may come near, and as whom. Disks are encrypted by Azure without being asked."""
        access = data.aks()["access"]
        return {
            "enable_rbac": True,
            "disable_local_accounts": not access["local_accounts"],
            "aad_profile": {"managed": True, "enable_azure_rbac": True},
            "oidc_issuer_profile": {"enabled": True},
            "security_profile": {"workload_identity": {"enabled": True}},
            "api_server_access_profile": {
                "disable_run_command": not access["run_command"],
                **self._reached(access),
            },
        }

    def _reached(self, access: dict[str, Any]) -> dict[str, Any]:
        given = self.placement.access
        if given and given.cidrs:
            return {"authorized_ip_ranges": given.cidrs}
        public_name = access["private_public_name"]
        return {"enable_private_cluster": True, "enable_private_cluster_public_fqdn": public_name}


def _network(network: dict[str, Any]) -> dict[str, Any]:
    return {
        "network_plugin": network["plugin"],
        "network_plugin_mode": network["mode"],
        "pod_cidr": network["pods"],
        "service_cidr": network["services"],
        "dns_service_ip": network["dns"],
        "outbound_type": network["outbound"],
        "load_balancer_sku": network["balancer"],
    }

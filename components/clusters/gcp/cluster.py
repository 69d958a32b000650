"""A GKE cluster complete enough to train on (`gke.yaml` holds the choices and their sources)."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.clusters.base import DRAINED, ClusterRequest
from components.clusters.gcp import data
from components.clusters.gcp.identity import Identity, build_node_identity, build_output_identity
from components.clusters.gcp.network import Network, build_network
from components.clusters.gcp.pools import build_pool, first_nodes
from components.clusters.nodes import in_turn, node_pools
from components.clusters.reached import outputs_of, provider_of
from components.ignored import ignored
from components.isolation import contained
from components.kubeconfig import exec_kubeconfig
from components.objects import KubernetesObject
from components.placement import ClusterPlacement, PoolPlacement
from components.tags import short_name

__all__ = ["GkeCluster"]

NAME_LIMIT = 28
"""Leaves room for the longest suffix and the engine's own within GKE's 40 characters."""


class GkeCluster(pulumi.ComponentResource):
    """Network, accounts, control plane and pools of one cluster, all lease-labelled."""

    labelled = True
    drained = DRAINED

    def __init__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        placement = request.placement
        props = {"region": placement.region, "pools": [p.model_dump() for p in placement.pools]}
        super().__init__("colony:index:GkeCluster", name, props, contained(opts))
        self.component = self
        self.placement = placement
        self.node_image = data.node_image(placement)
        self._prefix = short_name(name, limit=NAME_LIMIT)
        self.tags = request.tags
        self.pools = node_pools(placement)
        self._about = ", ".join(f"{key}={value}" for key, value in request.tags.items())
        self._opts = pulumi.ResourceOptions(parent=self, provider=self._cloud())

        network = build_network(self._prefix, placement.region, self._about, self._opts)
        nodes = build_node_identity(self._prefix, self._about, network.network.project, self._opts)
        self.owner: gcp.container.Cluster = self._control_plane(network, nodes)
        self.cluster_name: pulumi.Output[str] = self.owner.name
        self.identifier: pulumi.Output[str] = self.owner.self_link
        self.kubeconfig: pulumi.Output[str] = pulumi.Output.secret(self._kubeconfig())
        first, later = in_turn(placement.pools)
        pools = self._nodes(first, nodes, [])
        accelerated = self._nodes(later, nodes, pools)
        self.billable: list[pulumi.Resource] = [self.owner, *pools, *accelerated]
        self.base: list[pulumi.Resource] = [*pools, *self._outputs(network, request)]
        self.ready: list[pulumi.Resource] = [*self.base, *accelerated]
        self.provider = provider_of(self, self, self._prefix)
        self._install_driver()
        self.register_outputs(outputs_of(self))

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None:
        """NotSupported, InputError: before anything is registered."""
        data.check(placement)

    def _cloud(self) -> gcp.Provider:
        """`default_labels` catch whatever a later resource forgets.

        https://www.pulumi.com/registry/packages/gcp/installation-configuration/
        """
        return gcp.Provider(
            f"{self._prefix}-gcp",
            region=self.placement.region,
            default_labels=self.tags,
            add_pulumi_attribution_label=False,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _control_plane(self, network: Network, nodes: Identity) -> gcp.container.Cluster:
        """https://cloud.google.com/kubernetes-engine/docs/how-to/creating-a-regional-cluster"""
        gke, placement = data.gke(), self.placement
        return gcp.container.Cluster(
            f"{self._prefix}-gke",
            location=placement.region,
            node_locations=[data.home_of(placement)],
            min_master_version=placement.kubernetes or gke["kubernetes"]["version"],
            release_channel={"channel": gke["kubernetes"]["channel"]},
            network=network.network.id,
            subnetwork=network.subnet.id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy={
                "cluster_secondary_range_name": "pods",
                "services_secondary_range_name": "services",
            },
            default_max_pods_per_node=gke["network"]["pods_per_node"],
            datapath_provider=gke["network"]["datapath"],
            workload_identity_config={"workload_pool": self._pool(network)},
            master_auth={
                "client_certificate_config": {
                    "issue_client_certificate": gke["access"]["client_certificate"]
                }
            },
            database_encryption={"state": gke["encryption"]["database"]},
            enable_shielded_nodes=True,
            logging_config={"enable_components": gke["telemetry"]["components"]},
            monitoring_config={
                "enable_components": gke["telemetry"]["components"],
                "managed_prometheus": {"enabled": gke["telemetry"]["managed_prometheus"]},
            },
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config=first_nodes(nodes.account.email, self.tags),
            deletion_protection=gke["deletion"]["protection"],
            resource_labels=self.tags,
            opts=self._with(
                [*nodes.granted, *network.routed], ignored("gcp:container/cluster:Cluster")
            ),
            **self._endpoint(),
        )

    def _endpoint(self) -> dict[str, object]:
        """https://cloud.google.com/kubernetes-engine/docs/concepts/network-isolation"""
        endpoint, access = data.gke()["endpoint"], self.placement.access
        cidrs = access.cidrs if access else []
        return {
            "private_cluster_config": {
                "enable_private_nodes": endpoint["private_nodes"],
                "enable_private_endpoint": not cidrs,
                "master_ipv4_cidr_block": endpoint["control_plane"],
            },
            "master_authorized_networks_config": {
                "cidr_blocks": [
                    {"cidr_block": cidr, "display_name": "colony access"} for cidr in cidrs
                ],
                "gcp_public_cidrs_access_enabled": endpoint["google_addresses"],
            },
        }

    def _nodes(
        self, pools: list[PoolPlacement], nodes: Identity, after: list[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        opts = pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(depends_on=after))
        account = nodes.account.email
        return [
            build_pool(self._prefix, pool, self.placement, self.owner, account, self.tags, opts)
            for pool in pools
        ]

    def _outputs(self, network: Network, request: ClusterRequest) -> list[pulumi.Resource]:
        self.service_account: str | None = None
        self.service_account_annotations: dict[str, pulumi.Input[str]] = {}
        self.service_account_pod_labels: dict[str, str] = {}
        roles = data.bucket_roles(request.outputs, request.inputs)
        if not roles:
            return []
        outputs = data.gke()["identity"]["outputs"]
        self.service_account = outputs["service_account"]
        made = build_output_identity(
            self._prefix,
            self._about,
            self._pool(network),
            roles,
            request.namespaces,
            # The identity pool of a project appears with its first cluster.
            self._with([self.owner], []),
        )
        self.service_account_annotations = {outputs["annotation"]: made.account.email}
        return made.granted

    def _pool(self, network: Network) -> pulumi.Output[str]:
        return pulumi.Output.concat(network.network.project, data.gke()["identity"]["pool_suffix"])

    def _install_driver(self) -> None:
        """Google's, where NVIDIA's operator brings none for the image."""
        gpus = [pool for pool in self.placement.pools if pool.accelerator_count]
        if not any(data.image_of(pool)["driver"] == "google" for pool in gpus):
            return
        KubernetesObject(
            f"{self._prefix}-driver-installer",
            data.driver_installer(),
            pulumi.ResourceOptions(
                parent=self,
                provider=self.provider,
                deleted_with=self.owner,
                depends_on=self.ready,
            ),
        )

    def _with(self, after: list[pulumi.Resource], ignored: list[str]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(
            self._opts,
            pulumi.ResourceOptions(
                depends_on=after,
                ignore_changes=ignored,
                custom_timeouts=pulumi.CustomTimeouts(**data.gke()["timeouts"]["cluster"]),
            ),
        )

    def _kubeconfig(self) -> pulumi.Output[str]:
        """https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-access-for-kubectl"""
        cluster = self.owner
        return pulumi.Output.json_dumps(
            pulumi.Output.all(cluster.name, cluster.endpoint, cluster.master_auth).apply(
                lambda known: exec_kubeconfig(
                    known[0],
                    f"https://{known[1]}",
                    known[2]["cluster_ca_certificate"],
                    data.gke()["token"]["command"],
                    [],
                )
            )
        )

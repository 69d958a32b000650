"""k3s on the user's own machines: the first host serves, the others join it one by one."""

from __future__ import annotations

from typing import Any

import pulumi

from components.clusters.base import DRAINED, ClusterRequest
from components.clusters.nodes import NodePool, node_pools
from components.clusters.onprem import data
from components.clusters.onprem.hosts import Hosts
from components.clusters.reached import outputs_of, provider_of
from components.isolation import contained
from components.placement import ClusterPlacement, HostPlacement
from components.tags import short_name

__all__ = ["OnpremCluster"]

NAME_LIMIT = 48


class OnpremCluster(pulumi.ComponentResource):
    """Two resources a host: k3s on it, and its node. Nothing but k3s is left on or taken from it.

    https://docs.k3s.io/architecture
    """

    node_image = data.k3s()["node_image"]
    labelled = True
    drained = DRAINED
    service_account = None

    def __init__(
        self, name: str, request: ClusterRequest, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        placement = request.placement
        super().__init__("colony:index:OnpremCluster", name, _state(placement), contained(opts))
        self.component = self
        self.placement = placement
        self.pools: list[NodePool] = node_pools(placement)
        self.tags: dict[str, str] = {}
        self.service_account_annotations: dict[str, pulumi.Input[str]] = {}
        self.service_account_pod_labels: dict[str, str] = {}
        self.billable: list[pulumi.Resource] = []
        self._prefix = short_name(name, limit=NAME_LIMIT)
        self._hosts = Hosts(self._prefix, placement, request, pulumi.ResourceOptions(parent=self))

        first, *others = placement.hosts
        identity = f"onprem/{name}/{first.address}"
        self.owner: pulumi.Resource = self._hosts.serve(first, identity)
        access = self._hosts.access(first, self.owner)
        self.cluster_name = pulumi.Output.from_input(name)
        self.identifier: pulumi.Output[str] = pulumi.Output.from_input(identity)
        self.kubeconfig: pulumi.Output[str] = pulumi.Output.secret(access.apply(_kubeconfig))
        token: pulumi.Output[str] = access.apply(_token)
        self.ready: list[pulumi.Resource] = [
            self.owner,
            *(self._hosts.join(host, first, token, self.owner) for host in others),
        ]
        self.base = self.ready
        self.provider = provider_of(self, self, self._prefix)
        self.register_outputs(outputs_of(self))

    @classmethod
    def check(cls, placement: ClusterPlacement) -> None:
        """NotSupported, InputError: before anything is registered."""
        data.check(placement)


def _state(placement: ClusterPlacement) -> dict[str, Any]:
    return {"hosts": [_shown(host) for host in placement.hosts]}


def _shown(host: HostPlacement) -> str:
    return f"{host.user}@{host.address}:{host.port}"


def _token(text: str) -> str:
    """Of the first line, `colony-token: TOKEN`; the kubeconfig follows."""
    return text.partition("\n")[0].removeprefix("colony-token:").strip()


def _kubeconfig(text: str) -> str:
    return text.partition("\n")[2]

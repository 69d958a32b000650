"""Commands on hosts: what is done there, and what undoes it."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_command as command
from pulumi_command import remote

from components.clusters.base import ClusterRequest
from components.clusters.onprem import data
from components.hosts import node_name
from components.placement import ClusterPlacement, HostPlacement

__all__ = ["Hosts"]

# https://www.pulumi.com/registry/packages/command/api-docs/remote/command/
DIAL_SECONDS, DIALS = 15, 4
"""A host that is off is said to be so after a minute."""


class Hosts:
    """Makes the commands of one cluster."""

    def __init__(
        self,
        prefix: str,
        placement: ClusterPlacement,
        request: ClusterRequest,
        opts: pulumi.ResourceOptions,
    ) -> None:
        self._prefix, self._placement = prefix, placement
        provider = command.Provider(f"{prefix}-command", opts=opts)
        self._opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider))
        self._colony, self._key = request.colony, request.ssh_key

    def serve(self, host: HostPlacement, identity: str) -> pulumi.Resource:
        """The control plane, on the first host; another identity is another cluster."""
        made: pulumi.Resource = self._command(
            "server", host, self._joining(host, "server"), "server", triggers=[identity]
        )
        return made

    def access(self, host: HostPlacement, server: pulumi.Resource) -> pulumi.Output[str]:
        """The kubeconfig, and the token with which others join, as one YAML text; secret."""
        url = data.server_url(self._placement)
        made = self._command(
            "access", host, {**self._common(host), "SERVER": url}, "access",
            undone=False, after=[server], gone_with=server,
            # stdout holds credentials: neither shown nor in plain text in the state.
            logging=remote.Logging.NONE, hidden=["stdout", "stderr"],
        )  # fmt: skip
        return pulumi.Output.secret(made.stdout)

    def join(
        self,
        host: HostPlacement,
        first: HostPlacement,
        token: pulumi.Output[str],
        server: pulumi.Resource,
    ) -> pulumi.Resource:
        """k3s on one more host, and its node, ready. The node goes first, then k3s."""
        name = node_name(host.address)
        url = data.server_url(self._placement)
        agent = self._command(
            f"{name}-k3s", host, {**self._joining(host, "agent"), "SERVER": url}, "agent",
            stdin=token, after=[server],
        )  # fmt: skip
        limits = data.k3s()["seconds"]
        asked = {**self._common(host), "READY": limits["ready"], "DRAIN": limits["drain"]}
        node: pulumi.Resource = self._command(
            f"{name}-node", first, asked, "node", after=[agent], gone_with=server
        )
        return node

    def _command(
        self,
        name: str,
        host: HostPlacement,
        variables: dict[str, object],
        kind: str,
        *,
        after: list[pulumi.Resource] | None = None,
        gone_with: pulumi.Resource | None = None,
        undone: bool = True,
        hidden: list[str] | None = None,
        **more: Any,
    ) -> remote.Command:
        """`kind` names the scripts and the time limits; `undone`: has a script for its end."""
        create = f"{kind}-create" if undone else kind
        opts = pulumi.ResourceOptions(
            depends_on=after or [],
            deleted_with=gone_with,
            custom_timeouts=pulumi.CustomTimeouts(**data.k3s()["timeouts"][kind]),
            additional_secret_outputs=hidden,
        )
        return remote.Command(
            f"{self._prefix}-{name}",
            connection=self._connection(host),
            create=data.script(create, variables),
            delete=data.script(f"{kind}-delete", variables) if undone else None,
            opts=pulumi.ResourceOptions.merge(self._opts, opts),
            **more,
        )

    def _joining(self, host: HostPlacement, mode: str) -> dict[str, object]:
        pool = next(pool for pool in self._placement.pools if pool.name == host.pool)
        return {
            **self._common(host),
            "GPUS": pool.accelerator_count,
            "VERSION": data.version_of(self._placement),
            "INSTALLER": self._placement.installer or data.k3s()["installer"],
            "ARGUMENTS": data.node_arguments(self._placement, host, mode),
            "READY": data.k3s()["seconds"]["ready"],
        }

    def _common(self, host: HostPlacement) -> dict[str, object]:
        return {"COLONY": self._colony, "NODE": node_name(host.address)}

    def _connection(self, host: HostPlacement) -> remote.ConnectionArgs:
        return remote.ConnectionArgs(
            host=host.address,
            user=host.user,
            port=host.port,
            private_key=self._key,
            host_key=host.host_key or None,
            dial_error_limit=DIALS,
            per_dial_timeout=DIAL_SECONDS,
        )

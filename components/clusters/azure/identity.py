"""Who may use the cluster: Entra identities and roles, never an account of the cluster's own."""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import yaml
from pulumi_azure_native import authorization, containerservice

from components.clusters.azure.data import aks
from components.kubeconfig import exec_kubeconfig

__all__ = ["build_admin", "kubeconfig"]


def build_admin(
    name: str, cluster: containerservice.ManagedCluster, opts: pulumi.ResourceOptions
) -> authorization.RoleAssignment:
    """Whoever runs the program administers this one cluster.

    https://learn.microsoft.com/azure/aks/manage-azure-rbac
    """
    me = authorization.get_client_config_output(opts=_invoking(opts))
    role, cli = aks()["admin"]["role"], aks()["admin"]["cli"]
    return authorization.RoleAssignment(
        f"{name}-admin",
        principal_id=me.object_id,
        # People come through the command line's own application; all else is a service.
        principal_type=me.client_id.apply(lambda it: "User" if it == cli else "ServicePrincipal"),
        role_definition_id=me.subscription_id.apply(
            lambda subscription: (
                f"/subscriptions/{subscription}/providers/"
                f"Microsoft.Authorization/roleDefinitions/{role}"
            )
        ),
        scope=cluster.id,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(deleted_with=cluster)),
    )


def kubeconfig(
    cluster: containerservice.ManagedCluster,
    group: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """The cluster's address and certificate; the client asks Entra for a token.

    https://learn.microsoft.com/azure/aks/kubelogin-authentication
    """
    answer = containerservice.list_managed_cluster_user_credentials_output(
        resource_group_name=group, resource_name=cluster.name, format="exec", opts=_invoking(opts)
    )
    known = pulumi.Output.all(cluster.name, answer.kubeconfigs)
    return pulumi.Output.json_dumps(known.apply(lambda found: _with_kubelogin(found[0], found[1])))


def _with_kubelogin(name: str, found: list[Any]) -> dict[str, Any]:
    token = aks()["token"]
    given = yaml.safe_load(base64.b64decode(found[0]["value"]))
    where = given["clusters"][0]["cluster"]
    login = ["get-token", "--login", token["login"], "--server-id", token["server"]]
    return exec_kubeconfig(
        name, where["server"], where["certificate-authority-data"], token["command"], login
    )


def _invoking(opts: pulumi.ResourceOptions) -> pulumi.InvokeOutputOptions:
    provider = opts.provider
    assert isinstance(provider, pulumi.ProviderResource)
    return pulumi.InvokeOutputOptions(parent=opts.parent, provider=provider)

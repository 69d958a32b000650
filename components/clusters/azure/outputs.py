"""What pods on AKS write results with: an identity of their own, by federation with the cluster.

https://learn.microsoft.com/azure/aks/workload-identity-overview
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, containerservice, managedidentity

from components.clusters.azure.data import aks, blobs_of, condition

__all__ = ["OutputIdentity", "build_output_identity"]


@dataclass(frozen=True)
class OutputIdentity:
    """The identity's client id, and all without which it is of no use."""

    client_id: pulumi.Output[str]
    granted: list[pulumi.Resource]


def build_output_identity(
    name: str,
    group: pulumi.Output[str],
    cluster: containerservice.ManagedCluster,
    outputs: list[str],
    inputs: list[str],
    namespaces: list[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> OutputIdentity:
    """Pods under the service account of `aks.yaml` may write the blobs of `outputs` and read those
    of `inputs`, wherever in the subscription their account is: an address does not say in which
    resource group."""
    identity = managedidentity.UserAssignedIdentity(
        f"{name}-outputs", resource_group_name=group, tags=tags, opts=opts
    )
    role = _role(name, group, opts)
    right = authorization.RoleAssignment(
        f"{name}-outputs",
        principal_id=identity.principal_id,
        principal_type="ServicePrincipal",
        role_definition_id=role.id,
        scope=_subscription(opts),
        condition=condition(blobs_of(outputs), blobs_of(inputs)),
        condition_version=aks()["outputs"]["condition_version"],
        opts=opts,
    )
    trust = _trust(name, group, cluster, identity, namespaces, opts)
    return OutputIdentity(identity.client_id, [right, *trust])


def _role(
    name: str, group: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> authorization.RoleDefinition:
    """Of data actions alone: a condition holds for nothing else that a role grants.

    The group's name is nobody else's, so neither are the role's and its id.
    """
    data, scope = aks()["outputs"], _subscription(opts)
    return authorization.RoleDefinition(
        f"{name}-outputs",
        role_definition_id=group.apply(lambda text: str(uuid.uuid5(uuid.NAMESPACE_URL, text))),
        role_name=pulumi.Output.concat("colony outputs of ", group),
        role_type="CustomRole",
        description="Writes the results of a colony's jobs",
        permissions=[{"actions": [], "data_actions": data["actions"]}],
        assignable_scopes=[scope],
        scope=scope,
        opts=opts,
    )


def _trust(
    name: str,
    group: pulumi.Output[str],
    cluster: containerservice.ManagedCluster,
    identity: managedidentity.UserAssignedIdentity,
    namespaces: list[str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """One after the other: Azure refuses to write two of one identity at the same time.

    https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
    """
    data = aks()["outputs"]
    made: list[pulumi.Resource] = []
    issuer = cluster.oidc_issuer_profile.apply(lambda it: it.issuer_url)
    for space in namespaces:
        after = pulumi.ResourceOptions(depends_on=made[-1:])
        made.append(
            managedidentity.FederatedIdentityCredential(
                f"{name}-outputs-{space}",
                resource_group_name=group,
                resource_name_=identity.name,
                issuer=issuer,
                subject=f"system:serviceaccount:{space}:{data['service_account']}",
                audiences=[data["audience"]],
                opts=pulumi.ResourceOptions.merge(opts, after),
            )
        )
    return made


def _subscription(opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    provider = opts.provider
    assert isinstance(provider, pulumi.ProviderResource)
    invoking = pulumi.InvokeOutputOptions(parent=opts.parent, provider=provider)
    me = authorization.get_client_config_output(opts=invoking)
    return pulumi.Output.concat("/subscriptions/", me.subscription_id)

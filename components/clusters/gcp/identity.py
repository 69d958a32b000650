"""The service accounts of a cluster's nodes, and of the pods that copy outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.clusters.gcp.data import gke
from components.tags import short_name

__all__ = ["Identity", "build_node_identity", "build_output_identity"]

ACCOUNT_LIMIT = 22
"""Of the 30 characters of an account's name, eight are the engine's own."""


@dataclass(frozen=True)
class Identity:
    """An account, and the grants without which it is of no use."""

    account: gcp.serviceaccount.Account
    granted: list[pulumi.Resource]


def build_node_identity(
    name: str, about: str, project: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> Identity:
    """Logs, metrics and images, instead of the default account's right to edit the project.

    https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts
    """
    account = _account(name, "node", about, opts)
    granted: list[pulumi.Resource] = [
        gcp.projects.IAMMember(
            f"{name}-node-{role.rsplit('/', 1)[-1]}",
            project=project,
            role=role,
            member=account.member,
            opts=opts,
        )
        for role in gke()["identity"]["roles"]
    ]
    return Identity(account, granted)


def build_output_identity(
    name: str,
    about: str,
    pool: pulumi.Output[str],
    roles: Mapping[str, str],
    namespaces: list[str],
    opts: pulumi.ResourceOptions,
) -> Identity:
    """Pods under the service account of `gke.yaml` have these `roles` in buckets.

    `pool` is the cluster's workload identity pool. Only a whole bucket can be granted where it has
    access control lists, so that prefixes are not told apart.
    https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
    """
    data = gke()["identity"]["outputs"]
    account = _account(name, "outputs", about, opts)
    pods = [
        gcp.serviceaccount.IAMMember(
            f"{name}-outputs-{space}",
            service_account_id=account.name,
            role=data["impersonation"],
            member=pulumi.Output.concat(
                "serviceAccount:", pool, "[", space, "/", data["service_account"], "]"
            ),
            opts=opts,
        )
        for space in namespaces
    ]
    buckets = [
        gcp.storage.BucketIAMMember(
            f"{name}-outputs-{bucket}",
            bucket=bucket,
            role=role,
            member=account.member,
            opts=opts,
        )
        for bucket, role in roles.items()
    ]
    return Identity(account, [*pods, *buckets])


def _account(
    name: str, kind: str, about: str, opts: pulumi.ResourceOptions
) -> gcp.serviceaccount.Account:
    return gcp.serviceaccount.Account(
        short_name(name, kind, limit=ACCOUNT_LIMIT),
        display_name=f"{name} {kind}"[:100],
        description=about,
        opts=opts,
    )

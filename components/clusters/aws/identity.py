"""The roles of a cluster, its nodes, and of the pods that copy outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.clusters.aws.data import bucket_policy, eks, policy_arn

__all__ = ["Identity", "build_output_identity", "build_role"]


@dataclass(frozen=True)
class Identity:
    """A role, and the attachments without which it is of no use."""

    role: aws.iam.Role
    attached: list[pulumi.Resource]


def build_role(
    name: str, kind: str, region: str, tags: dict[str, str], opts: pulumi.ResourceOptions
) -> Identity:
    """`kind` is a key of `roles` in `eks.yaml`, which names policies and vendor pages."""
    data = eks()["roles"][kind]
    role = aws.iam.Role(
        f"{name}-{kind}",
        assume_role_policy=_trust(data["service"], data["actions"]),
        tags=tags,
        opts=opts,
    )
    attached: list[pulumi.Resource] = [
        aws.iam.RolePolicyAttachment(
            f"{name}-{kind}-{policy}",
            role=role.name,
            policy_arn=policy_arn(region, policy),
            opts=opts,
        )
        for policy in data["policies"]
    ]
    return Identity(role, attached)


def build_output_identity(
    name: str,
    cluster: aws.eks.Cluster,
    region: str,
    outputs: list[str],
    inputs: list[str],
    namespaces: list[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Pods under the service account of `eks.yaml` may write the outputs and read the inputs, by
    pod identity."""
    role = build_role(name, "outputs", region, tags, opts).role
    policy = aws.iam.RolePolicy(
        f"{name}-outputs",
        role=role.name,
        policy=json.dumps(bucket_policy(region, outputs, inputs), sort_keys=True),
        opts=opts,
    )
    return [policy] + [
        aws.eks.PodIdentityAssociation(
            f"{name}-outputs-{namespace}",
            cluster_name=cluster.name,
            namespace=namespace,
            service_account=eks()["roles"]["outputs"]["service_account"],
            role_arn=role.arn,
            tags=tags,
            opts=opts,
        )
        for namespace in namespaces
    ]


def _trust(service: str, actions: list[str]) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)

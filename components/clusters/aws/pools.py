"""Managed node groups, one a pool, over one launch template."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.clusters.aws.data import eks, image_of
from components.clusters.aws.network import Network
from components.clusters.base import ACCELERATOR_LABEL, POOL_LABEL
from components.placement import PoolPlacement
from components.tags import short_name

__all__ = ["build_pool", "build_template"]

NAME_LIMIT = 55
"""A node group's name may have 63 characters, eight of them the engine's own."""


def build_template(
    name: str, tags: dict[str, str], opts: pulumi.ResourceOptions
) -> aws.ec2.LaunchTemplate:
    """IMDSv2, an encrypted disk, and the tags that node groups do not hand on to what they launch.

    https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
    """
    nodes = eks()["nodes"]
    disk = {
        "volume_size": nodes["disk"]["size_gib"],
        "volume_type": nodes["disk"]["type"],
        "encrypted": "true",
        "delete_on_termination": "true",
    }
    return aws.ec2.LaunchTemplate(
        f"{name}-nodes",
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": nodes["metadata"]["tokens"],
            "http_put_response_hop_limit": nodes["metadata"]["hop_limit"],
        },
        block_device_mappings=[{"device_name": nodes["disk"]["device"], "ebs": disk}],
        tag_specifications=[
            {"resource_type": kind, "tags": {**tags, "Name": name}} for kind in nodes["tagged"]
        ],
        tags=tags,
        opts=opts,
    )


def build_pool(
    name: str,
    pool: PoolPlacement,
    cluster: aws.eks.Cluster,
    role_arn: pulumi.Input[str],
    template: aws.ec2.LaunchTemplate,
    network: Network,
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.eks.NodeGroup:
    """On-demand, of fixed size, in the pool's zone where it has one.

    The template's later versions are ignored: an extended lease changes its tags, and a new
    version would replace the nodes under a running job.
    """
    nodes = eks()["nodes"]
    subnets = [network.private[pool.zone]] if pool.zone else list(network.private.values())
    return aws.eks.NodeGroup(
        short_name(name, pool.name, limit=NAME_LIMIT),
        cluster_name=cluster.name,
        node_role_arn=role_arn,
        subnet_ids=[subnet.id for subnet in subnets],
        scaling_config={
            "min_size": pool.nodes,
            "desired_size": pool.nodes,
            "max_size": pool.nodes,
        },
        ami_type=image_of(pool),
        capacity_type=nodes["capacity"],
        instance_types=[pool.instance_type],
        launch_template={
            "id": template.id,
            "version": template.latest_version.apply(str),
        },
        labels=labels_of(pool),
        taints=[nodes["taint"]] if pool.accelerator_count else [],
        tags=tags,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                ignore_changes=["launchTemplate"],
                custom_timeouts=pulumi.CustomTimeouts(**eks()["timeouts"]["nodes"]),
            ),
        ),
    )


def labels_of(pool: PoolPlacement) -> dict[str, Any]:
    """What jobs and queues select nodes by."""
    labels = {POOL_LABEL: pool.name}
    if pool.accelerator:
        labels[ACCELERATOR_LABEL] = pool.accelerator
    return labels

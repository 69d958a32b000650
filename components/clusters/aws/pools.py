"""Managed node groups, one a pool."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.clusters.aws.data import eks, image_of, in_block, together, zones_for
from components.clusters.aws.network import Network
from components.clusters.nodes import labels_of, taints_of
from components.ignored import ignored
from components.placement import ClusterPlacement, PoolPlacement
from components.tags import short_name

__all__ = ["build_pool"]

NAME_LIMIT = 55
"""A node group's name may have 63 characters, eight of them the engine's own."""


def build_pool(
    name: str,
    pool: PoolPlacement,
    placement: ClusterPlacement,
    cluster: aws.eks.Cluster,
    role_arn: pulumi.Input[str],
    template: aws.ec2.LaunchTemplate,
    network: Network,
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.eks.NodeGroup:
    """Of fixed size; in one zone where it has one, or is compact.

    The template's later versions are ignored.
    """
    nodes = eks()["nodes"]
    zones = zones_for(pool, placement)[: 1 if together(pool) else None]
    return aws.eks.NodeGroup(
        short_name(name, pool.name, limit=NAME_LIMIT),
        cluster_name=cluster.name,
        node_role_arn=role_arn,
        subnet_ids=[network.private[zone].id for zone in zones],
        scaling_config={
            "min_size": pool.count,
            "desired_size": pool.count,
            "max_size": pool.nodes,
        },
        ami_type=image_of(pool),
        capacity_type=nodes["capacity"]["block" if in_block(pool) else pool.capacity.value],
        # The template names the type of a capacity block.
        instance_types=None if in_block(pool) else [pool.instance_type],
        launch_template={
            "id": template.id,
            "version": template.latest_version.apply(str),
        },
        labels=labels_of(pool),
        taints=[
            {"key": taint.key, "value": taint.value, "effect": nodes["effects"][taint.effect]}
            for taint in taints_of(pool)
        ],
        tags=tags,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                ignore_changes=ignored("aws:eks/nodeGroup:NodeGroup"),
                custom_timeouts=pulumi.CustomTimeouts(**eks()["timeouts"]["nodes"]),
            ),
        ),
    )

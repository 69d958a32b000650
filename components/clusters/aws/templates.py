"""Launch templates: what the nodes of a pool are beyond their type.

https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.clusters.aws.data import compact, efa_interfaces, eks, in_block, is_special
from components.placement import ClusterPlacement, PoolPlacement

__all__ = ["build_template", "build_templates"]


def build_template(
    name: str, tags: dict[str, str], opts: pulumi.ResourceOptions, **more: Any
) -> aws.ec2.LaunchTemplate:
    """IMDSv2, an encrypted disk, and the tags that node groups do not hand on themselves."""
    nodes = eks()["nodes"]
    disk = {
        "volume_size": more.pop("disk", None) or nodes["disk"]["size_gib"],
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
        **more,
        tags=tags,
        opts=opts,
    )


def build_templates(
    name: str,
    placement: ClusterPlacement,
    cluster: aws.eks.Cluster,
    vpc: pulumi.Input[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> Mapping[str, aws.ec2.LaunchTemplate]:
    """By pool; plain pools share one."""
    special = {pool.name: pool for pool in placement.pools if is_special(pool)}
    groups = _fabric(name, placement, cluster, vpc, tags, opts)
    own = {
        pool.name: build_template(
            f"{name}-{pool.name}", tags, opts, **_more(name, pool, groups, tags, opts)
        )
        for pool in special.values()
    }
    if len(own) == len(placement.pools):
        return own
    plain = build_template(name, tags, opts)
    return {pool.name: own.get(pool.name, plain) for pool in placement.pools}


def _more(
    name: str,
    pool: PoolPlacement,
    groups: list[pulumi.Input[str]],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> dict[str, Any]:
    more: dict[str, Any] = {"disk": pool.disk, **_reserved(pool)}
    if compact(pool):
        group = aws.ec2.PlacementGroup(
            f"{name}-{pool.name}", strategy=eks()["nodes"]["compact"]["strategy"], tags=tags,
            opts=opts,
        )  # fmt: skip
        more["placement"] = {"group_name": group.name}
    if interfaces := efa_interfaces(pool):
        more["network_interfaces"] = [{**each, "security_groups": groups} for each in interfaces]
    return more


def _reserved(pool: PoolPlacement) -> dict[str, Any]:
    """https://docs.aws.amazon.com/eks/latest/userguide/capacity-blocks-mng.html"""
    if not pool.reservation:
        return {}
    target = {"capacity_reservation_id": pool.reservation}
    found: dict[str, Any] = {
        "capacity_reservation_specification": {"capacity_reservation_target": target}
    }
    if in_block(pool):
        market = eks()["nodes"]["reservation"]["market"]
        found |= {
            "instance_market_options": {"market_type": market},
            "instance_type": pool.instance_type,
        }
    return found


def _fabric(
    name: str,
    placement: ClusterPlacement,
    cluster: aws.eks.Cluster,
    vpc: pulumi.Input[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Input[str]]:
    """EFA wants a group whose members may say everything to each other, out as well as in.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html
    """
    if not any(efa_interfaces(pool) for pool in placement.pools):
        return []
    everything = {"protocol": "-1", "from_port": 0, "to_port": 0, "self": True}
    group = aws.ec2.SecurityGroup(
        f"{name}-efa",
        description="EFA between the nodes",
        vpc_id=vpc,
        ingress=[everything],
        egress=[everything],
        tags={**tags, "Name": f"{name}-efa"},
        opts=opts,
    )
    return [cluster.vpc_config.cluster_security_group_id, group.id]

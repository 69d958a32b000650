"""The VPC of one cluster: a private subnet a zone for the nodes; public ones, for NAT and load
balancers, in the zones of the control plane.
https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.clusters.aws.data import eks, own_zones, zones_of
from components.placement import ClusterPlacement

__all__ = ["Network", "build_network"]


@dataclass(frozen=True)
class Network:
    """What the cluster and its nodes need to know."""

    vpc: aws.ec2.Vpc
    public: dict[str, aws.ec2.Subnet]
    """By zone, as is `private`; in the zones of the control plane."""
    private: dict[str, aws.ec2.Subnet]
    routed: list[pulumi.Resource]
    """Nodes reach the internet once these exist; they must outlive the nodes."""


def build_network(
    name: str, placement: ClusterPlacement, tags: dict[str, str], opts: pulumi.ResourceOptions
) -> Network:
    """One NAT gateway serves all zones: a colony lives for hours, not for availability."""
    data = eks()["network"]
    named = {**tags, "Name": name}
    vpc = aws.ec2.Vpc(
        f"{name}-vpc",
        cidr_block=data["vpc"],
        enable_dns_support=True,
        enable_dns_hostnames=True,
        tags=named,
        opts=opts,
    )
    gateway = aws.ec2.InternetGateway(f"{name}-igw", vpc_id=vpc.id, tags=named, opts=opts)
    own, zones = own_zones(placement), zones_of(placement)
    public = _subnets(name, "public", vpc, own, {**named, **data["public_tags"]}, opts)
    private = _subnets(name, "private", vpc, zones, {**named, **data["private_tags"]}, opts)

    out = {"cidr_block": "0.0.0.0/0", "gateway_id": gateway.id}
    open_routes = _routes(f"{name}-public", vpc, out, public, named, opts)
    nat = _nat(name, public[own[0]], [gateway, *open_routes], named, opts)
    hidden = {"cidr_block": "0.0.0.0/0", "nat_gateway_id": nat.id}
    return Network(
        vpc, public, private, _routes(f"{name}-private", vpc, hidden, private, named, opts)
    )


def _subnets(
    name: str,
    side: str,
    vpc: aws.ec2.Vpc,
    zones: list[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> dict[str, aws.ec2.Subnet]:
    return {
        zone: aws.ec2.Subnet(
            f"{name}-{side}-{zone}",
            vpc_id=vpc.id,
            cidr_block=eks()["network"][side][index],
            availability_zone=zone,
            map_public_ip_on_launch=side == "public",
            tags=tags,
            opts=opts,
        )
        for index, zone in enumerate(zones)
    }


def _nat(
    name: str,
    subnet: aws.ec2.Subnet,
    after: list[pulumi.Resource],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.ec2.NatGateway:
    """https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html"""
    address = aws.ec2.Eip(f"{name}-nat", domain="vpc", tags=tags, opts=opts)
    # An address or a NAT gateway that is still there blocks the internet gateway's removal.
    later = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=after))
    return aws.ec2.NatGateway(
        f"{name}-nat", allocation_id=address.id, subnet_id=subnet.id, tags=tags, opts=later
    )


def _routes(
    name: str,
    vpc: aws.ec2.Vpc,
    route: dict[str, Any],
    subnets: dict[str, aws.ec2.Subnet],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    table = aws.ec2.RouteTable(name, vpc_id=vpc.id, routes=[route], tags=tags, opts=opts)
    return [
        aws.ec2.RouteTableAssociation(
            f"{name}-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=opts
        )
        for zone, subnet in subnets.items()
    ]

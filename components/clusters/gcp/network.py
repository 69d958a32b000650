"""The network of one cluster: nodes without public addresses, one NAT, one hole for webhooks."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.clusters.gcp.data import gke

__all__ = ["Network", "build_network"]


@dataclass(frozen=True)
class Network:
    """What the cluster and its nodes need to know."""

    network: gcp.compute.Network
    subnet: gcp.compute.Subnetwork
    routed: list[pulumi.Resource]
    """Nodes reach the internet, and are reached by the control plane, once these exist; they must
    outlive the nodes."""


def build_network(name: str, region: str, about: str, opts: pulumi.ResourceOptions) -> Network:
    """`about` is the lease as a text: networks take no labels.

    https://cloud.google.com/kubernetes-engine/docs/how-to/private-clusters
    """
    data = gke()["network"]
    network = gcp.compute.Network(
        f"{name}-net",
        auto_create_subnetworks=False,
        routing_mode="REGIONAL",
        description=about,
        opts=opts,
    )
    subnet = gcp.compute.Subnetwork(
        f"{name}-nodes",
        network=network.id,
        region=region,
        ip_cidr_range=data["nodes"],
        secondary_ip_ranges=[
            {"range_name": kind, "ip_cidr_range": data[kind]} for kind in ("pods", "services")
        ],
        private_ip_google_access=True,
        description=about,
        opts=opts,
    )
    return Network(
        network,
        subnet,
        [_nat(name, region, about, network, opts), _hole(name, about, network, opts)],
    )


def _nat(
    name: str, region: str, about: str, network: gcp.compute.Network, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """https://cloud.google.com/nat/docs/gke-example"""
    data = gke()["network"]
    router = gcp.compute.Router(
        f"{name}-router", network=network.id, region=region, description=about, opts=opts
    )
    made: pulumi.Resource = gcp.compute.RouterNat(
        f"{name}-nat",
        router=router.name,
        region=region,
        nat_ip_allocate_option=data["nat_addresses"],
        source_subnetwork_ip_ranges_to_nat=data["nat_ranges"],
        opts=opts,
    )
    return made


def _hole(
    name: str, about: str, network: gcp.compute.Network, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """https://cloud.google.com/kubernetes-engine/docs/how-to/private-clusters#add_firewall_rules"""
    made: pulumi.Resource = gcp.compute.Firewall(
        f"{name}-webhooks",
        network=network.id,
        direction="INGRESS",
        source_ranges=[gke()["endpoint"]["control_plane"]],
        allows=[{"protocol": "tcp", "ports": gke()["network"]["webhook_ports"]}],
        description=about,
        opts=opts,
    )
    return made

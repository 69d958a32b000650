"""The EKS data, and what follows from it for a placement. Pure: no pulumi."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from components.placement import ClusterPlacement, PoolPlacement
from jobs.data import parse
from jobs.errors import InputError, NotSupported, Problem
from jobs.rdma import rdma_for

__all__ = [
    "GPU_NODE_IMAGE", "bucket_policy", "check", "compact", "efa_interfaces", "eks", "image_of",
    "in_block", "is_special", "own_zones", "partition", "policy_arn", "together", "zones_for",
    "zones_of",
]  # fmt: skip

GPU_NODE_IMAGE = "al2023-nvidia"

EFA = "vpc.amazonaws.com/efa"
"""Extended resource of Elastic Fabric Adapters; how many a machine has is in `jobs/rdma.yaml`."""


@cache
def eks() -> dict[str, Any]:
    """`eks.yaml`."""
    text = Path(__file__).with_name("eks.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = parse(text)
    return data


def zones_of(placement: ClusterPlacement) -> list[str]:
    """Those with subnets: where the cluster is already, then the file's, then the pools', then
    likely ones up to what EKS needs.

    In that order: whatever moves, each subnet keeps its addresses, and new ones come after them.
    """
    data = eks()
    letters = data["zones"]["regions"].get(placement.region, data["zones"]["default"])
    pinned = [pool.zone for pool in placement.pools if pool.zone]
    there = [zone for zone in placement.spans or [] if zone.startswith(placement.region)]
    named = list(dict.fromkeys([*there, *placement.zones, *pinned]))
    spare = [placement.region + letter for letter in letters]
    missing = data["network"]["least_zones"] - len(named)
    return named + [zone for zone in spare if zone not in named][: max(0, missing)]


def own_zones(placement: ClusterPlacement) -> list[str]:
    """Of the control plane, which can never change them, and of nodes without accelerators.

    https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
    """
    return zones_of(placement)[: eks()["network"]["least_zones"]]


def zones_for(pool: PoolPlacement, placement: ClusterPlacement) -> list[str]:
    """Where a pool may be."""
    if pool.zone:
        return [pool.zone]
    own = own_zones(placement)
    return placement.zones or own if pool.accelerator_count else own


def image_of(pool: PoolPlacement) -> str:
    """The EKS image type for the pool's instance family."""
    nodes = eks()["nodes"]
    arm = re.match(nodes["arm64_families"], _family(pool))
    images = nodes["images"]["arm64" if arm else "x86_64"]
    return str(images["gpu" if pool.accelerator_count else "cpu"])


def efa_interfaces(pool: PoolPlacement) -> list[dict[str, Any]]:
    """The network cards of a node; none where it is alone or has no EFA."""
    known = rdma_for(pool.instance_type) if pool.nodes > 1 else None
    cards = known.devices.get(EFA, 0) if known else 0
    kinds = eks()["nodes"]["efa"]
    return [
        {
            "network_card_index": card,
            "device_index": 1 if card else 0,
            "interface_type": kinds["others" if card else "first"],
            "associate_public_ip_address": "false",
            "delete_on_termination": "true",
        }
        for card in range(cards)
    ]


def compact(pool: PoolPlacement) -> bool:
    """In a placement group: where it is said, else where nodes have EFA. A capacity block has its
    own, close together already."""
    wanted = pool.compact if pool.compact is not None else bool(efa_interfaces(pool))
    return wanted and not in_block(pool)


def together(pool: PoolPlacement) -> bool:
    """Placement groups, EFA and reservations do not reach over two zones."""
    return compact(pool) or bool(efa_interfaces(pool)) or bool(pool.reservation)


def in_block(pool: PoolPlacement) -> bool:
    """From a capacity block: those alone always end."""
    return bool(pool.reservation and pool.reserved_until)


def is_special(pool: PoolPlacement) -> bool:
    """Needs a launch template of its own."""
    return together(pool) or pool.disk is not None


def partition(region: str) -> str:
    """The first part of an ARN: `aws`, `aws-us-gov`, ..."""
    known = eks()["roles"]["partitions"]
    return next((name for prefix, name in known.items() if region.startswith(prefix)), "aws")


def policy_arn(region: str, policy: str) -> str:
    """The ARN of a policy that AWS manages."""
    return f"arn:{partition(region)}:iam::aws:policy/{policy}"


def bucket_policy(region: str, outputs: list[str], inputs: list[str]) -> dict[str, Any]:
    """Lets pods write under the outputs' `s3://bucket/prefix`, read under the inputs', and list
    those buckets."""
    data = eks()["roles"]["outputs"]
    arn = f"arn:{partition(region)}:s3:::"
    written, read = (
        sorted({url.removeprefix("s3://").rstrip("/") for url in urls})
        for urls in (outputs, inputs)
    )
    buckets = sorted({arn + path.split("/")[0] for path in (*written, *read)})
    rights = ((data["object_actions"], written), (data["read_actions"], read))
    objects = [
        {
            "Effect": "Allow",
            "Action": actions,
            "Resource": [f"{arn}{path}{end}" for path in paths for end in ("", "/*")],
        }
        for actions, paths in rights
        if paths
    ]
    listing = {"Effect": "Allow", "Action": data["bucket_actions"], "Resource": buckets}
    return {"Version": "2012-10-17", "Statement": [listing, *objects]}


def check(placement: ClusterPlacement) -> None:
    """NotSupported or InputError for what this kind cannot build, each named with its path."""
    where = f"placement.clusters.{placement.name}"
    problems = [p for pool in placement.pools for p in _unsupported(pool, f"{where}.{pool.name}")]
    if problems:
        raise NotSupported(*problems)
    if not placement.pools:
        raise InputError(Problem(where, "an EKS cluster needs at least one pool"))
    rooms = len(eks()["network"]["private"])
    if len(zones_of(placement)) > rooms:
        message = f"at most {rooms} zones, pools' and those that it is in already included"
        hint = f"it would be in {', '.join(zones_of(placement))}: name fewer of them"
        raise InputError(Problem(f"{where}.zones", message, hint))


def _unsupported(pool: PoolPlacement, where: str) -> list[Problem]:
    problems = []
    if pool.accelerator_count and not _is_nvidia(pool):
        message = f"{pool.instance_type}: only NVIDIA GPUs are built for EKS so far"
        problems.append(Problem(f"{where}.instance_type", message))
    return problems


def _is_nvidia(pool: PoolPlacement) -> bool:
    nodes = eks()["nodes"]
    family = _family(pool)
    nvidia = re.match(nodes["nvidia_families"], family)
    return bool(nvidia) and not re.match(nodes["other_families"], family)


def _family(pool: PoolPlacement) -> str:
    return pool.instance_type.split(".")[0]

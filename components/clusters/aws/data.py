"""The EKS data, and what follows from it for a placement. Pure: no pulumi."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components.placement import ClusterPlacement, PoolPlacement
from jobs.errors import InputError, NotSupported, Problem

__all__ = [
    "GPU_NODE_IMAGE",
    "check",
    "eks",
    "image_of",
    "output_policy",
    "partition",
    "policy_arn",
    "zones_of",
]

GPU_NODE_IMAGE = "al2023-nvidia"


@cache
def eks() -> dict[str, Any]:
    """`eks.yaml`."""
    text = Path(__file__).with_name("eks.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def zones_of(placement: ClusterPlacement) -> list[str]:
    """Zone names: the pools', then the placement's, then likely ones up to what EKS needs."""
    data = eks()
    letters = data["zones"]["regions"].get(placement.region, data["zones"]["default"])
    pinned = [pool.zone for pool in placement.pools if pool.zone]
    named = list(dict.fromkeys([*pinned, *placement.zones]))
    spare = [placement.region + letter for letter in letters]
    missing = data["network"]["least_zones"] - len(named)
    return named + [zone for zone in spare if zone not in named][: max(0, missing)]


def image_of(pool: PoolPlacement) -> str:
    """The EKS image type for the pool's instance family."""
    nodes = eks()["nodes"]
    arm = re.match(nodes["arm64_families"], _family(pool))
    images = nodes["images"]["arm64" if arm else "x86_64"]
    return str(images["gpu" if pool.accelerator_count else "cpu"])


def partition(region: str) -> str:
    """The first part of an ARN: `aws`, `aws-us-gov`, ..."""
    known = eks()["roles"]["partitions"]
    return next((name for prefix, name in known.items() if region.startswith(prefix)), "aws")


def policy_arn(region: str, policy: str) -> str:
    """The ARN of a policy that AWS manages."""
    return f"arn:{partition(region)}:iam::aws:policy/{policy}"


def output_policy(region: str, outputs: list[str]) -> dict[str, Any]:
    """Lets pods write under the given `s3://bucket/prefix` and list those buckets."""
    data = eks()["roles"]["outputs"]
    paths = sorted({url.removeprefix("s3://").rstrip("/") for url in outputs})
    arn = f"arn:{partition(region)}:s3:::"
    buckets = sorted({arn + path.split("/")[0] for path in paths})
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": data["bucket_actions"], "Resource": buckets},
            {
                "Effect": "Allow",
                "Action": data["object_actions"],
                "Resource": [f"{arn}{path}{end}" for path in paths for end in ("", "/*")],
            },
        ],
    }


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
        raise InputError(Problem(f"{where}.zones", f"at most {rooms} zones, pools' included"))


def _unsupported(pool: PoolPlacement, where: str) -> list[Problem]:
    problems = []
    if pool.spot:
        problems.append(Problem(f"{where}.spot", "spot pools on EKS are not built yet"))
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

"""The GKE data, and what follows from it for a placement. Pure: no pulumi."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from components.placement import ClusterPlacement, PoolPlacement
from jobs.data import parse
from jobs.errors import InputError, NotSupported, Problem

__all__ = [
    "accelerator_of",
    "bucket_roles",
    "check",
    "compact",
    "disk_type",
    "driver_installer",
    "gke",
    "home_of",
    "image_of",
    "node_image",
    "zone_of",
]


@cache
def gke() -> dict[str, Any]:
    """`gke.yaml`."""
    return _read("gke.yaml")


@cache
def driver_installer() -> dict[str, Any]:
    """`driver-installer.yaml`: what puts Google's driver on nodes of Container-Optimized OS."""
    return _read("driver-installer.yaml")


def zone_of(pool: PoolPlacement, placement: ClusterPlacement) -> str:
    """Its own, else one for all, since GKE counts a pool's nodes by zone; without accelerators it
    stays where it was made."""
    home = home_of(placement)
    allowed = placement.zones if pool.accelerator_count else []
    return pool.zone or (home if home in allowed or not allowed else allowed[0])


def home_of(placement: ClusterPlacement) -> str:
    """Where the cluster was made: the file's first zone, else a likely one. It is its only location
    of its own: with another one GKE makes and removes nodes of all its pools.

    https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/setLocations
    """
    there = [zone for zone in placement.spans or [] if zone.startswith(f"{placement.region}-")]
    if named := there or placement.zones:
        return named[0]
    zones = gke()["zones"]
    return f"{placement.region}-{zones['regions'].get(placement.region, zones['default'])[0]}"


def image_of(pool: PoolPlacement) -> dict[str, Any]:
    """The entry of `images` that the pool asks for."""
    nodes = gke()["nodes"]
    found: dict[str, Any] = nodes["images"][pool.image or nodes["image"]]
    return found


def node_image(placement: ClusterPlacement) -> str:
    """Which layer variants fit the GPU nodes: they are of one image."""
    nodes = gke()["nodes"]
    name = next((pool.image for pool in _gpu_pools(placement) if pool.image), nodes["image"])
    return str(nodes["images"][name]["layers"])


def disk_type(pool: PoolPlacement) -> str:
    disk = gke()["nodes"]["disk"]
    return str(_first(disk["families"], pool.instance_type) or disk["type"])


def accelerator_of(pool: PoolPlacement) -> str | None:
    """Google's name of the GPU; None where the machine cannot have it."""
    nodes = gke()["nodes"]
    by_name = _first(nodes["attached"], pool.instance_type)
    found = by_name.get(pool.accelerator) if by_name else None
    found = found or _first(nodes["accelerators"], pool.instance_type)
    return str(found) if found else None


def compact(pool: PoolPlacement) -> bool:
    """Side by side: as asked, else where several nodes have a network of their own."""
    if pool.compact is not None:
        return pool.compact
    own_network = re.match(gke()["nodes"]["compact_by_default"], pool.instance_type)
    return bool(own_network) and pool.nodes > 1


def bucket_roles(outputs: list[str], inputs: list[str]) -> dict[str, str]:
    """Bucket of `gs://bucket/prefix` URLs -> what pods may do there: who writes may read, too."""
    roles = gke()["identity"]["outputs"]
    pairs = [(url, roles["read_role"]) for url in inputs]
    pairs += [(url, roles["bucket_role"]) for url in outputs]
    found = {
        url.removeprefix("gs://").split("/")[0]: role
        for url, role in pairs
        if url.startswith("gs:")
    }
    return dict(sorted(found.items()))


def check(placement: ClusterPlacement) -> None:
    """NotSupported or InputError for what this kind cannot build, each named with its path."""
    where = f"placement.clusters.{placement.name}"
    if not placement.pools:
        raise InputError(Problem(where, "a GKE cluster needs at least one pool"))
    problems = [p for pool in placement.pools for p in _wrong(pool, placement, where)]
    images = {pool.image or gke()["nodes"]["image"] for pool in _gpu_pools(placement)}
    if len(images) > 1:
        hint = "a layer is installed once a cluster, for one image"
        problems.append(Problem(f"{where}.pools", "GPU pools of different images", hint))
    if problems:
        raise InputError(*problems)
    unbuilt = [p for pool in placement.pools for p in _unsupported(pool, f"{where}.{pool.name}")]
    if unbuilt:
        raise NotSupported(*unbuilt)


def _wrong(pool: PoolPlacement, placement: ClusterPlacement, cluster: str) -> list[Problem]:
    where, problems = f"{cluster}.{pool.name}", []
    if not zone_of(pool, placement).startswith(f"{placement.region}-"):
        zone = zone_of(pool, placement)
        message = f"{zone} is no zone of {placement.region}"
        problems.append(Problem(f"{where}.zone", message, f"like {placement.region}-a"))
    most = gke()["nodes"]["compact_most"]
    if compact(pool) and pool.nodes > most:
        message = f"{pool.nodes} nodes side by side: GKE places at most {most}"
        problems.append(Problem(f"{where}.compact", message, "compact: false"))
    return problems


def _unsupported(pool: PoolPlacement, where: str) -> list[Problem]:
    problems = []
    if pool.accelerator_count and accelerator_of(pool) is None:
        message = f"{pool.instance_type} with {pool.accelerator}: GKE has no such GPU machine"
        problems.append(Problem(f"{where}.instance_type", message))
    if pool.compact and not re.match(gke()["nodes"]["compact_families"], pool.instance_type):
        message = f"{pool.instance_type} cannot be placed side by side"
        problems.append(Problem(f"{where}.compact", message, "leave it out"))
    if pool.accelerator and pool.accelerator.casefold().startswith("tpu"):
        problems.append(Problem(f"{where}.accelerator", "TPU pools on GKE are not built yet"))
    return problems


def _gpu_pools(placement: ClusterPlacement) -> list[PoolPlacement]:
    return [pool for pool in placement.pools if pool.accelerator_count]


def _first(table: Mapping[str, Any], machine: str) -> Any:
    return next((value for family, value in table.items() if re.match(family, machine)), None)


def _read(name: str) -> dict[str, Any]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    found: dict[str, Any] = parse(text)
    return found

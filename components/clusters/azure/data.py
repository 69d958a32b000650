"""The AKS data, and what follows from it for a placement. Pure: no pulumi."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from components.clusters.nodes import Taint
from components.placement import ClusterPlacement, PoolPlacement
from jobs.data import parse
from jobs.errors import InputError, NotSupported, Problem

__all__ = [
    "aks", "blobs_of", "check", "compact", "condition", "has_infiniband", "image_of", "node_image",
    "pool_name", "spot_taint", "system_pool", "zones_of",
]  # fmt: skip


@cache
def aks() -> dict[str, Any]:
    """`aks.yaml`."""
    text = Path(__file__).with_name("aks.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = parse(text)
    return data


def system_pool(placement: ClusterPlacement) -> PoolPlacement:
    """The first CPU pool: AKS needs one that runs its own pods, and cannot be without."""
    return next(pool for pool in placement.pools if _may_be_system(pool))


def pool_name(name: str) -> str:
    """What AKS lets a pool be called; two names stay two."""
    limit = aks()["nodes"]["name_length"]
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain == name and len(name) <= limit and name[0].isalpha():
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:4]
    head = plain if plain[:1].isalpha() else f"p{plain}"
    return head[: limit - 4] + digest


def zones_of(pool: PoolPlacement, placement: ClusterPlacement) -> list[str]:
    """`1`, `2`, `3`: Azure's zones have no region in their names, whatever the file says.

    A pool can never change them, so that without accelerators it stays where it was made:
    https://learn.microsoft.com/azure/aks/availability-zones-overview
    """
    stays = None if pool.accelerator_count else placement.spans
    named = [pool.zone] if pool.zone else placement.zones if stays is None else stays
    return [zone.removeprefix(placement.region).lstrip("-") for zone in named]


def image_of(pool: PoolPlacement) -> dict[str, str]:
    """The driver profile, and the name that layers know the image by."""
    images: dict[str, dict[str, str]] = aks()["nodes"]["images"]
    return images[pool.image or "ubuntu"]


def node_image(placement: ClusterPlacement) -> str:
    """Of the GPU nodes; of any where there are none."""
    gpus = [pool for pool in placement.pools if pool.accelerator_count]
    return image_of((gpus or placement.pools)[0])["layers"]


def has_infiniband(pool: PoolPlacement) -> bool:
    return bool(re.match(aks()["nodes"]["infiniband"], pool.instance_type))


def compact(pool: PoolPlacement) -> bool:
    """Side by side: where it is said, else where several nodes have InfiniBand."""
    return pool.compact if pool.compact is not None else pool.nodes > 1 and has_infiniband(pool)


def spot_taint() -> Taint:
    """What AKS puts on spot nodes."""
    return Taint(**aks()["nodes"]["spot"]["taint"])


def blobs_of(outputs: list[str]) -> list[tuple[str, str, str]]:
    """(account, container, path) of every `az://account/container/path`; others are not Azure's."""
    found = [url.removeprefix("az://").split("/", 2) for url in outputs if url.startswith("az://")]
    wanted = [[*each, "", ""][:3] for each in found]
    return sorted({(account, box, path.rstrip("/")) for account, box, path in wanted})


def condition(
    blobs: list[tuple[str, str, str]], read: list[tuple[str, str, str]] | None = None
) -> str:
    """By which a role's actions are for these blobs alone; those of `read` may only be read, and
    names of blobs be listed, which copying a folder takes.

    https://learn.microsoft.com/azure/role-based-access-control/conditions-format
    """
    data = aks()["outputs"]
    if not read:
        return _only(data["actions"], blobs, data["attributes"])
    reading, *writing = data["actions"]
    listing = f"{reading}'}} AND NOT SubOperationMatches{{'{data['listing']}"
    may_read = _only([listing], [*blobs, *read], data["attributes"])
    return f"{_only(writing, blobs, data['attributes'])} AND {may_read}"


def _only(actions: list[str], blobs: list[tuple[str, str, str]], attributes: dict[str, str]) -> str:
    """The actions for none but these blobs."""
    others = " AND ".join(f"!(ActionMatches{{'{action}'}})" for action in actions)
    mine = " OR ".join(_one_of(attributes, *blob) for blob in blobs)
    return f"(({others}) OR ({mine}))" if mine else f"(({others}))"


def check(placement: ClusterPlacement) -> None:
    """NotSupported or InputError for what this kind cannot build, each named with its path."""
    where = f"placement.clusters.{placement.name}"
    if foreign := [pool for pool in placement.pools if _is_foreign(pool)]:
        message = "only NVIDIA GPUs are built for AKS so far"
        raise NotSupported(
            *(Problem(f"{where}.{each.name}.instance_type", f"{each.instance_type}: {message}")
              for each in foreign)
        )  # fmt: skip
    problems = [
        *_without_system(placement, where),
        *_mixed_images(placement, where),
        *_scattered(placement, where),
    ]
    if problems:
        raise InputError(*problems)


def _one_of(attributes: dict[str, str], account: str, container: str, path: str) -> str:
    """The path itself, and what lies under it."""
    terms = [
        f"@Resource[{attributes['account']}] StringEquals {_quoted(account)}",
        f"@Resource[{attributes['container']}] StringEquals {_quoted(container)}",
    ]
    if path:
        name = f"@Resource[{attributes['path']}]"
        under = f"{name} StringStartsWith {_quoted(path + '/')}"
        terms.append(f"({name} StringEquals {_quoted(path)} OR {under})")
    return f"({' AND '.join(terms)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _without_system(placement: ClusterPlacement, where: str) -> list[Problem]:
    if any(_may_be_system(pool) for pool in placement.pools):
        return []
    hint = "give it CPU nodes, on demand and not scaled to zero"
    return [Problem(where, "AKS needs a pool for its own pods, and it has none", hint)]


def _mixed_images(placement: ClusterPlacement, where: str) -> list[Problem]:
    """One release of the GPU operator serves a whole cluster."""
    gpus = [pool for pool in placement.pools if pool.accelerator_count]
    if len({image_of(pool)["layers"] for pool in gpus}) < 2:
        return []
    message = "GPU pools of one cluster have one image: the GPU operator is set up for one"
    return [Problem(f"{where}.{gpus[-1].name}.image", message)]


def _scattered(placement: ClusterPlacement, where: str) -> list[Problem]:
    return [
        Problem(f"{where}.{pool.name}.compact", "nodes side by side are in one zone",
                f"{', '.join(zones_of(pool, placement))} are several")
        for pool in placement.pools
        if compact(pool) and len(zones_of(pool, placement)) > 1
    ]  # fmt: skip


def _may_be_system(pool: PoolPlacement) -> bool:
    return not (pool.accelerator_count or pool.spot or pool.min_nodes == 0)


def _is_foreign(pool: PoolPlacement) -> bool:
    nodes = aks()["nodes"]
    nvidia = re.match(nodes["nvidia_sizes"], pool.instance_type)
    other = re.search(nodes["other_sizes"], pool.instance_type)
    return bool(pool.accelerator_count) and (not nvidia or bool(other))

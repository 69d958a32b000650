"""What each kind of cluster is able to do, as its `kind.yaml` says, and what is refused for it.

Pure and light: the market asks too, before anything is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field

from components.placement import ClusterPlacement, PoolPlacement
from components.pool_spec import Capacity
from jobs.errors import NotSupported, Problem
from jobs.model import Strict
from jobs.problems import did_you_mean

__all__ = [
    "Abilities",
    "Allocatable",
    "KindFacts",
    "Reserve",
    "facts_of",
    "kinds",
    "refuse_lacking",
]

FOLDER = Path(__file__).parent


class Abilities(Strict):
    """Optional abilities: what is not declared is not there."""

    spot: bool = False
    reservation: bool = False
    compact: bool = False
    """Nodes side by side: placement groups."""
    rdma: bool = False
    """The network of machines whose GPUs can use it directly."""
    scale_to_zero: bool = False
    stop: bool = False
    """Its pools may have no nodes for a while."""
    access: bool = False
    """A private API server, or one that only named networks reach."""
    disk: bool = False
    images: list[str] = Field(default_factory=list)


class Reserve(Strict):
    """MiB that a node keeps for itself: `fixed`, for each of `pods`, by size, and for eviction."""

    fixed: float = 0
    per_pod: float = 0
    pods: int = 0
    """How many a node may run."""
    most_share: float = 1
    """Of the whole memory, for fixed and per_pod together."""
    brackets: list[tuple[float | None, float]] = Field(default_factory=list)
    """(GiB, share of them) in turn; None = all that is left."""
    eviction: float = 0


class Allocatable(Strict):
    """What a node keeps for itself, so that pods get the rest."""

    cpu: list[tuple[float | None, float]] = Field(default_factory=list)
    """(cores, share of them) in turn; None = all that is left."""
    memory_mib: Reserve = Reserve()


class KindFacts(Strict):
    """`kind.yaml` of one folder."""

    model_config = ConfigDict(populate_by_name=True)

    cls: str = Field(alias="class")
    """`module:name`, imported when such a cluster is built."""
    abilities: Abilities
    pool: str = ""
    """The type of a pool's resource; empty = its machines are not rented."""
    inline_system: bool = False
    """A pool without accelerators is a part of the cluster itself."""
    allocatable: Allocatable = Allocatable()


def kinds() -> list[str]:
    """The clouds whose cluster kind is built: every folder with a `kind.yaml`."""
    return list(_files())


def facts_of(cloud: str) -> KindFacts:
    """KeyError for a cloud that is not built."""
    return _read(_files()[cloud])


def has_spot(cloud: str) -> bool:
    """False only where a kind is built, and not with spot nodes."""
    return cloud not in _files() or facts_of(cloud).abilities.spot


def refuse_lacking(placement: ClusterPlacement, path: str, pool_paths: dict[str, str]) -> None:
    """NotSupported naming every ability that is asked for and that the kind lacks.

    `path` and `pool_paths` (by the pool's name) are where the file says it.
    """
    able = facts_of(placement.cloud).abilities
    problems = []
    if placement.access and not able.access:
        problems.append(_lack(placement.cloud, f"{path}.access", "an access list"))
    for pool in placement.pools:
        where = pool_paths.get(pool.name, f"{path}.{pool.name}")
        problems += _lacking(placement.cloud, pool, able, where)
    if problems:
        raise NotSupported(*problems)


def _lacking(cloud: str, pool: PoolPlacement, able: Abilities, where: str) -> Iterator[Problem]:
    if pool.capacity is Capacity.SPOT and not able.spot:
        yield _lack(cloud, f"{where}.spot", "spot nodes")
    if pool.capacity is Capacity.RESERVATION and not able.reservation:
        yield _lack(cloud, f"{where}.reservation", "reserved capacity")
    if pool.compact and not able.compact:
        yield _lack(cloud, f"{where}.compact", "placement groups")
    if pool.min_nodes is not None and not able.scale_to_zero:
        yield _lack(cloud, f"{where}.min_nodes", "scaling by themselves")
    if pool.disk is not None and not able.disk:
        yield _lack(cloud, f"{where}.disk", "disks of another size")
    if pool.image is not None and pool.image not in able.images:
        hint = did_you_mean(pool.image, able.images, f"it has {', '.join(able.images) or 'none'}")
        message = f"clusters on {cloud} have no node image {pool.image!r}"
        yield Problem(f"{where}.image", message, hint)


def _lack(cloud: str, path: str, what: str) -> Problem:
    return Problem(path, f"clusters on {cloud} are not built with {what}", "leave it out")


@cache
def _files() -> dict[str, Path]:
    return {path.parent.name: path for path in sorted(FOLDER.glob("*/kind.yaml"))}


@cache
def _read(path: Path) -> KindFacts:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return KindFacts.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=loader))

"""Whose an error of the engine is: which cluster, which pool, and what the state has of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from colony.lifecycle.state import resources
from colony.market.decision import Refused
from components.placement import ClusterPlacement, Placement
from components.tags import short_names

__all__ = ["of_cluster", "of_pools", "pool_at", "refused_in"]

_PACKAGES = {
    "aws": ("aws:",),
    "azure": ("azure-native:",),
    "gcp": ("gcp:",),
    "onprem": ("command:",),
}
"""What a cloud's own resources are called; the rest is in its clusters, or the engine's."""


def refused_in(colony: str, placement: Placement, failures: Mapping[str, str]) -> list[Refused]:
    """What the clouds refused, a line each; empty where nothing that failed is a cloud's."""
    found = []
    for urn, text in failures.items():
        cluster = _cluster(colony, placement, urn)
        if cluster and text and _type(urn).startswith(_PACKAGES.get(cluster.cloud, ("?",))):
            machine = _name(urn) if cluster.cloud == "onprem" else ""
            found.append(Refused(cluster.name, machine or _pool(colony, cluster, urn), text))
    return sorted(found, key=lambda each: (each.cluster, each.pool, each.text))


def of_cluster(colony: str, cluster: str, deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everything of a cluster in the state, in the state's order."""
    names = short_names(f"{colony}-{cluster}")
    inside: set[str] = set()
    found = []
    for each in resources(deployment):
        whole = _type(each["urn"]).startswith("colony:") and _name(each["urn"]) in names
        if whole or each.get("parent") in inside:
            inside.add(each["urn"])
            found.append(each)
    return found


def of_pools(
    colony: str, cluster: ClusterPlacement, pools: Iterable[str], deployment: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The pools of a cluster in the state, by what each is made of, with what else of the cloud's
    depends on that: a launch template on its placement group."""
    wanted, clouds = set(pools), _PACKAGES.get(cluster.cloud, ("?",))
    urns: set[str] = set()
    found = []
    for each in of_cluster(colony, cluster.name, deployment):  # what is needed comes first
        follows = _type(each["urn"]).startswith(clouds) and urns & set(each.get("dependencies", []))
        if each.get("custom") and (follows or _pool(colony, cluster, each["urn"]) in wanted):
            urns.add(each["urn"])
            found.append(each)
    return found


def pool_at(colony: str, placement: Placement, urn: str) -> tuple[str, str] | None:
    """(cluster, pool) of a pool's own resources; None for all others."""
    cluster = _cluster(colony, placement, urn)
    pool = _pool(colony, cluster, urn) if cluster else ""
    return (cluster.name, pool) if cluster and pool else None


def _cluster(colony: str, placement: Placement, urn: str) -> ClusterPlacement | None:
    """By the longest name that fits: `main-2` is not `main`."""
    bought = [each for each in placement.clusters if each.cloud != "existing"]
    heads = {name: each for each in bought for name in short_names(f"{colony}-{each.name}")}
    fitting = [head for head, each in heads.items() if _begins(_name(urn), head, each)]
    return heads[max(fitting, key=len)] if fitting else None


def _begins(name: str, head: str, cluster: ClusterPlacement) -> bool:
    """Of a pool's name that was shortened once more the head is not whole."""
    if name == head or name.startswith(f"{head}-"):
        return True
    return any(name in short_names(f"{head}-{pool.name}") for pool in cluster.pools)


def _pool(colony: str, cluster: ClusterPlacement, urn: str) -> str:
    heads = short_names(f"{colony}-{cluster.name}")
    for pool in sorted(cluster.pools, key=lambda pool: -len(pool.name)):
        if any(_name(urn) in short_names(f"{head}-{pool.name}") for head in heads):
            return pool.name
    return ""


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def _type(urn: str) -> str:
    return urn.split("::", 2)[-1].rpartition("::")[0].rsplit("$", 1)[-1]

"""What of a placement is there, by the state: what is paid for while a part was refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from colony.lifecycle.state import resources
from components.clusters.abilities import facts_of
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import OWNED
from components.tags import short_name

__all__ = ["heads", "standing"]

SHORTEST = 20
"""No cloud leaves a cluster's name less than this."""

Found = Collection[tuple[str, str]]
"""(type, name)"""


def standing(
    placement: Placement, deployment: Mapping[str, Any], stack: str, planes: Collection[str]
) -> Placement:
    """Without the pools that are not there; `planes`: the clusters whose control plane is."""
    found = {(each["type"], each["urn"].rsplit("::", 1)[-1]) for each in resources(deployment)}
    clusters = [
        _part(cluster, stack, found)
        for cluster in placement.clusters
        if cluster.name in planes or cluster.cloud in OWNED  # a host is paid for from the start
    ]
    return placement.model_copy(update={"clusters": clusters})


def heads(*parts: str) -> set[str]:
    """The names that begin with these, however they were shortened."""
    whole = "-".join(parts)
    limits = range(min(SHORTEST, len(whole)), len(whole))
    return {whole, *(short_name(*parts, limit=limit) for limit in limits)}


def _part(cluster: ClusterPlacement, stack: str, found: Found) -> ClusterPlacement:
    facts = facts_of(cluster.cloud)
    if not facts.pool:
        return cluster

    def is_there(pool: PoolPlacement) -> bool:
        inline = facts.inline_system and not pool.accelerator_count
        return inline or any(
            (facts.pool, name) in found
            for head in heads(stack, cluster.name)
            for name in heads(head, pool.name)
        )

    return cluster.model_copy(update={"pools": [p for p in cluster.pools if is_there(p)]})

"""What of a placement is there, by the state: what is paid for while a part was refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from colony.lifecycle.refused import pool_at
from colony.lifecycle.state import resources
from components.clusters.abilities import KindFacts, facts_of
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import OWNED

__all__ = ["standing"]


def standing(
    placement: Placement, deployment: Mapping[str, Any], stack: str, planes: Collection[str]
) -> Placement:
    """Without the pools that are not there; `planes`: the clusters whose control plane is."""
    facts = {each.name: facts_of(each.cloud) for each in placement.clusters}
    types = {each.pool for each in facts.values()}
    urns = [each["urn"] for each in resources(deployment) if each["type"] in types]
    there = {pool_at(stack, placement, urn) for urn in urns}
    clusters = []
    for cluster in placement.clusters:
        if cluster.cloud in OWNED:  # a host is paid for from the start
            clusters.append(cluster)
        elif cluster.name in planes:
            names = {at[1] for at in there if at and at[0] == cluster.name}
            clusters.append(_part(cluster, facts[cluster.name], names))
    return placement.model_copy(update={"clusters": clusters})


def _part(cluster: ClusterPlacement, facts: KindFacts, names: set[str]) -> ClusterPlacement:
    def is_there(pool: PoolPlacement) -> bool:
        inline = facts.inline_system and not pool.accelerator_count
        return inline or pool.name in names

    return cluster.model_copy(update={"pools": [p for p in cluster.pools if is_there(p)]})

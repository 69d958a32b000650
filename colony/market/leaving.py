"""A cluster of the user's own machines that refused: there are no others to be had, so its jobs go
to the other clusters of the colony, or nowhere. Pure."""

from __future__ import annotations

from collections.abc import Collection

from colony.market.needs import needs_of
from colony.market.settle import Settled
from colony.market.zones import staying
from components.placement import ClusterPlacement, Placement
from components.spec import ColonySpec
from jobs.errors import InputError

__all__ = ["changed", "kept", "stuck", "without"]


def stuck(spec: ColonySpec, placement: Placement, left: Collection[str]) -> str:
    """Why the jobs of these clusters cannot go to others of the colony; empty where they can."""
    names = ", ".join(sorted(left))
    others = [each.name for each in spec.clusters if each.name not in left]
    theirs = [job for job in spec.jobs if placement.jobs.get(job.name) in left]
    if not others:
        return f"the machines of {names} are where they are, and the colony has no other cluster"
    for job in theirs:
        if job.cluster in left:
            return f"job {job.name} names cluster {job.cluster}: it goes to no other"
    try:
        needs_of(without(spec, left))
    except InputError as error:
        return f"its jobs fit no other cluster of the colony: {error}"
    return ""


def without(spec: ColonySpec, left: Collection[str]) -> ColonySpec:
    """The colony without these clusters, and all of its jobs."""
    clusters = [each for each in spec.clusters if each.name not in left]
    return spec.model_copy(update={"clusters": clusters})


def kept(before: Settled, after: Settled) -> Settled:
    """What came out, with each cluster that is the same as it was before, and what is there of one
    that grows in its place."""
    known = {each.name: each for each in before.placement.clusters}

    def same(each: ClusterPlacement) -> ClusterPlacement:
        old = known.get(each.name)
        if not old:
            return each
        return old if _built(old) == _built(each) else staying(old, each)

    clusters = [same(each) for each in after.placement.clusters]
    return Settled(after.spec, after.placement.model_copy(update={"clusters": clusters}))


def changed(before: Placement, after: Placement, beside: Collection[str]) -> list[str]:
    """The clusters that are there before and after, and not the same; those `beside` are known."""
    known = {each.name: each for each in before.clusters}
    return [
        each.name
        for each in after.clusters
        if each.name in known and each.name not in beside and known[each.name] != each
    ]


def _built(cluster: ClusterPlacement) -> object:
    return cluster.cloud, cluster.region, cluster.pools, cluster.hosts

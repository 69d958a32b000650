"""Clusters that the file no longer has: they go in an `up` as at the end of a colony."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from colony.lifecycle.definitions import drop_definitions, name_definitions
from colony.lifecycle.drain import drain
from colony.lifecycle.ground import Ground, LiveCluster, Tell, deployment_of
from colony.lifecycle.prepare import Plan
from colony.lifecycle.state import live_clusters

__all__ = ["forget_left", "leave_dropped"]


def leave_dropped(
    ground: Ground, plan: Plan, deployment: Mapping[str, Any], kept: Collection[str], tell: Tell
) -> list[LiveCluster]:
    """Before the `up`: what controllers made in the cloud goes before its cluster. Returns the
    clusters that stay, since they are not ours, for `forget_left`. `kept`: by identifier."""
    contexts = {f"existing/{each.context}" for each in plan.placement.clusters if each.context}
    dropped = [each for each in live_clusters(deployment) if each.identifier not in kept]
    notes = drain(ground, dropped, tell)
    left = [each for each in dropped if not each.ours and each.identifier not in contexts]
    if left:
        notes += name_definitions(ground, plan.spec.name, deployment)
    for note in notes:
        tell(note)
    return left


def forget_left(ground: Ground, stack: str, left: Collection[LiveCluster], tell: Tell) -> None:
    """After the `up`: of what Helm never takes away nothing of ours may stay there."""
    if not left:
        return
    still = {each.identifier for each in live_clusters(deployment_of(ground, stack))}
    gone = [each for each in left if each.identifier not in still]
    for note in drop_definitions(ground, stack, gone, tell):
        tell(note)

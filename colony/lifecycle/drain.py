"""Class A of the design: what controllers made in the cloud goes before its cluster goes.

A cluster that disappears takes its controllers along; the load balancers and disks that they
made stay, and are paid for. So jobs, LoadBalancer Services, Ingresses and claims are deleted
first, and their cloud objects awaited. Source of the order: `docs/lifecycle.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from colony.lifecycle.ground import ClusterAccess, Ground, LiveCluster, Tell
from colony.lifecycle.kinds import WORKLOADS
from jobs.errors import ColonyError

__all__ = ["DEADLINE", "Gone", "drain", "drain_cluster"]

DEADLINE = 600.0
POLL = 5.0
Gone = Callable[[str], None]
"""Is told of each object that a drain has seen gone."""
LAST = 60.0
"""Seconds for what has lost its finalizers to go."""
KINDS = (
    *WORKLOADS.values(),
    "Service",
    "Ingress",
    "Gateway.gateway.networking.k8s.io",
    "PersistentVolumeClaim",
    "NodePool.karpenter.sh",
    "NodeClaim.karpenter.sh",
)
"""In the order of their end."""


def drain(
    ground: Ground, clusters: list[LiveCluster], tell: Tell, gone: Gone = lambda _: None
) -> list[str]:
    """Drains every cluster of ours. Returns notes about those that could not be drained."""
    notes = []
    for cluster in clusters:
        if not cluster.ours:
            continue
        try:
            notes += drain_cluster(ground, ground.cluster(cluster), cluster.name, tell, gone)
        except ColonyError as error:
            notes.append(f"{cluster.name} was not drained: {error}")
    return notes


def drain_cluster(
    ground: Ground, access: ClusterAccess, name: str, tell: Tell, gone: Gone = lambda _: None
) -> list[str]:
    """Deletes what is cloud-backed, and waits until the API server no longer knows it.

    The last resort at the deadline takes finalizers off: whoever was to do their work is gone.
    Returns what should be looked after then. Raises ColonyError for what stays even so.
    """
    deadline = ground.now() + DEADLINE
    notes = []
    for kind in KINDS:
        asked = []
        for thing in _cloud_backed(access, kind):
            namespace, named = _place(thing)
            asked.append(f"{_short(kind)} {namespace}/{named} of {name}")
            tell(f"draining {asked[-1]}")
            access.delete(kind, namespace, named)
        if _gone(ground, access, kind, deadline):
            for each in asked:
                gone(each)
            continue
        freed = [_freed(access, kind, thing, name) for thing in _held(access, kind)]
        notes += freed
        if not freed or not _gone(ground, access, kind, ground.now() + LAST):
            still = f"{_short(kind)}s of {name} are still there after {DEADLINE:.0f} s"
            raise ColonyError("; ".join([*notes, still]))
    for note in notes:
        tell(note)
    return notes


def _gone(ground: Ground, access: ClusterAccess, kind: str, deadline: float) -> bool:
    while _cloud_backed(access, kind):
        if ground.now() > deadline:
            return False
        ground.wait(POLL)
    return True


def _held(access: ClusterAccess, kind: str) -> list[dict[str, Any]]:
    """What is being deleted, and only its finalizers keep."""
    return [
        thing
        for thing in _cloud_backed(access, kind)
        if thing["metadata"].get("finalizers") and thing["metadata"].get("deletionTimestamp")
    ]


def _freed(access: ClusterAccess, kind: str, thing: dict[str, Any], cluster: str) -> str:
    namespace, named = _place(thing)
    access.free(kind, namespace, named)
    held = ", ".join(thing["metadata"]["finalizers"])
    return (
        f"{_short(kind)} {namespace}/{named} of {cluster} was stuck: its finalizers ({held}) were "
        "taken off, and what they guarded may be left"
    )


def _place(thing: dict[str, Any]) -> tuple[str, str]:
    metadata = thing["metadata"]
    return metadata.get("namespace", "default"), metadata["name"]


def _cloud_backed(access: ClusterAccess, kind: str) -> list[dict[str, Any]]:
    things = access.removable(kind)
    if kind.startswith("Job."):  # what a controller made goes with its own owner
        things = [thing for thing in things if not thing["metadata"].get("ownerReferences")]
    if kind == "Service":
        return [thing for thing in things if thing["spec"].get("type") == "LoadBalancer"]
    return things


def _short(kind: str) -> str:
    return kind.partition(".")[0]

"""Class A of the design: what controllers made in the cloud goes before its cluster goes.

A cluster that disappears takes its controllers along; the load balancers and disks that they
made stay, and are paid for. So jobs, LoadBalancer Services, Ingresses and claims are deleted
first, and their cloud objects awaited. Source of the order: `docs/lifecycle.md`.
"""

from __future__ import annotations

from typing import Any

from colony.lifecycle.ground import ClusterAccess, Ground, LiveCluster, Tell
from colony.lifecycle.kinds import WORKLOADS
from jobs.errors import ColonyError

__all__ = ["DEADLINE", "drain", "drain_cluster"]

DEADLINE = 600.0
POLL = 5.0
KINDS = (*WORKLOADS.values(), "Service", "Ingress", "PersistentVolumeClaim")


def drain(ground: Ground, clusters: list[LiveCluster], tell: Tell) -> list[str]:
    """Drains every cluster of ours. Returns notes about those that could not be drained."""
    notes = []
    for cluster in clusters:
        if not cluster.ours:
            continue
        try:
            drain_cluster(ground, ground.cluster(cluster), cluster.name, tell)
        except ColonyError as error:
            notes.append(f"{cluster.name} was not drained: {error}")
    return notes


def drain_cluster(ground: Ground, access: ClusterAccess, name: str, tell: Tell) -> None:
    """Deletes what is cloud-backed, and waits until the API server no longer knows it."""
    deadline = ground.now() + DEADLINE
    for kind in KINDS:
        for thing in _cloud_backed(access, kind):
            metadata = thing["metadata"]
            namespace = metadata.get("namespace", "default")
            tell(f"draining {_short(kind)} {namespace}/{metadata['name']} of {name}")
            access.delete(kind, namespace, metadata["name"])
        while _cloud_backed(access, kind):
            if ground.now() > deadline:
                raise ColonyError(
                    f"{_short(kind)}s of {name} are still there after {DEADLINE:.0f} s"
                )
            ground.wait(POLL)


def _cloud_backed(access: ClusterAccess, kind: str) -> list[dict[str, Any]]:
    things = access.removable(kind)
    if kind.startswith("Job."):  # what a controller made goes with its own owner
        things = [thing for thing in things if not thing["metadata"].get("ownerReferences")]
    if kind == "Service":
        return [thing for thing in things if thing["spec"].get("type") == "LoadBalancer"]
    return things


def _short(kind: str) -> str:
    return kind.partition(".")[0]

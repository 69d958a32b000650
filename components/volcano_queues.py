"""Volcano's queues and priorities for one cluster's jobs. Pure: no pulumi.

https://volcano.sh/en/docs/queue/. A Volcano Job names a Queue, which must exist, and a
PriorityClass of Kubernetes' own.
"""

from __future__ import annotations

from typing import Any

from components.clusters.base import GPU_RESOURCE
from components.quota import priority_value
from components.spec import ColonySpec
from jobs.spec import Backend, Job

__all__ = ["volcano_objects"]

DEFAULT = "default"
"""Volcano's own queue."""


def volcano_objects(spec: ColonySpec, jobs: list[Job]) -> list[dict[str, Any]]:
    """Manifests; empty where no job of Volcano names a queue or a priority."""
    ours = [job for job in jobs if job.backend is Backend.VOLCANO]
    names = sorted({job.queue for job in ours if job.queue and job.queue != DEFAULT})
    classes = sorted({job.priority for job in ours if job.priority})
    return [*(_queue(name, spec) for name in names), *map(_priority, classes)]


def _queue(name: str, spec: ColonySpec) -> dict[str, Any]:
    """A project's share is what it deserves; what it may borrow comes on top."""
    shares: dict[str, Any] = {"weight": 1, "reclaimable": True}
    for queue in spec.queues:
        if queue.project == name:
            # `proportion` shares by weight, `capacity` by what is deserved: both say the same.
            shares["weight"] = max(queue.gpus, 1)
            shares["deserved"] = {GPU_RESOURCE: queue.gpus}
            shares["capability"] = {GPU_RESOURCE: queue.gpus + queue.borrow}
    return {
        "apiVersion": "scheduling.volcano.sh/v1beta1",
        "kind": "Queue",
        "metadata": {"name": name},
        "spec": shares,
    }


def _priority(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": priority_value(name),
    }

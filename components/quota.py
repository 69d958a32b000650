"""Kueue's objects for one cluster: the quota is what was bought. Pure: no pulumi.

https://kueue.sigs.k8s.io/docs/concepts/cluster_queue/
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components.clusters.base import ACCELERATOR_LABEL, GPU_RESOURCE
from components.placement import ClusterPlacement, PoolPlacement
from components.spec import ColonySpec, QueueSpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.spec import Backend, Job

__all__ = ["check_queues", "namespace_of", "priority_value", "queue_objects"]

VERSION = "kueue.x-k8s.io/v1beta2"
COHORT = "colony"


def namespace_of(job: Job, spec: ColonySpec) -> str:
    """The namespace of the project that the job queues for; `default` without one."""
    for queue in spec.queues:
        if queue.project == job.queue and queue.namespace:
            return queue.namespace
    return "default"


def queue_objects(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job], labelled: bool
) -> list[dict[str, Any]]:
    """Manifests, each after what it refers to. Empty where no queue is named.

    Jobs of Volcano queue elsewhere (`volcano_queues`).
    """
    jobs = [job for job in jobs if job.backend is not Backend.VOLCANO]
    queues = _queues(spec, jobs)
    classes = [_priority(name) for name in sorted({job.priority for job in jobs if job.priority})]
    if not queues:
        return classes
    flavors = _flavors(_useful(placement, spec, jobs), labelled)
    covered = [_cluster_queue(queue, flavors) for queue in spec.queues]
    if not covered:
        covered = [_cluster_queue(None, flavors)]
    local = [_local_queue(*queue) for queue in queues]
    return [*(manifest for manifest, _ in flavors), *covered, *local, *classes]


def priority_value(name: str) -> int:
    """The value of a priority class (queues.yaml)."""
    data = _data()
    return int(data["priorities"].get(name, data["default"]))


def check_queues(spec: ColonySpec, placement: ClusterPlacement) -> None:
    """InputError for quotas beyond what was bought and jobs that queue for no project."""
    if not spec.queues:
        return
    projects = {queue.project for queue in spec.queues}
    problems = [
        Problem(f"jobs.{job.name}.queue", f"{job.queue!r} is none of the projects in `queues`")
        for job in spec.jobs
        if job.queue and job.queue not in projects
    ]
    bought = sum(pool.nodes * pool.accelerator_count for pool in placement.pools)
    shared = sum(queue.gpus for queue in spec.queues)
    if shared > bought:
        problems.append(Problem("queues", f"they share out {shared} GPUs of {bought} bought"))
    if problems:
        raise InputError(*problems)
    if len({pool.accelerator for pool in placement.pools if pool.accelerator}) > 1:
        raise NotSupported(Problem("queues", "GPUs of several kinds are not shared out yet"))


def _queues(spec: ColonySpec, jobs: list[Job]) -> list[tuple[str, str, str]]:
    """(local queue, namespace, cluster queue)."""
    if spec.queues:
        return [(q.project, q.namespace or "default", q.project) for q in spec.queues]
    return [(name, "default", COHORT) for name in sorted({job.queue for job in jobs if job.queue})]


def _useful(placement: ClusterPlacement, spec: ColonySpec, jobs: list[Job]) -> list[PoolPlacement]:
    """CPU pools count only where something that queues can do without a GPU."""
    gpus = [pool for pool in placement.pools if pool.accelerator_count]
    needs = [
        need.accelerators
        for job in jobs
        for need in (job.resources, *(role.resources for role in job.roles.values()))
        if job.queue and need is not None
    ]
    return gpus if gpus and not spec.queues and all(needs) else placement.pools


def _flavors(
    pools: list[PoolPlacement], labelled: bool
) -> list[tuple[dict[str, Any], list[PoolPlacement]]]:
    """CPU nodes first: a job without GPUs must not fill the GPU nodes."""
    groups: dict[str, list[PoolPlacement]] = {}
    for pool in sorted(pools, key=lambda pool: (pool.accelerator or "", pool.name)):
        groups.setdefault(pool.accelerator or "", []).append(pool)
    return [(_flavor(name, labelled), group) for name, group in (groups or {"": []}).items()]


def _flavor(accelerator: str, labelled: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if accelerator:
        spec["tolerations"] = [{"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}]
        if labelled:
            spec["nodeLabels"] = {ACCELERATOR_LABEL: accelerator}
    name = re.sub(r"[^a-z0-9.-]", "-", accelerator.lower()) or "cpu"
    return _manifest("ResourceFlavor", name, spec)


def _cluster_queue(
    queue: QueueSpec | None, flavors: list[tuple[dict[str, Any], list[PoolPlacement]]]
) -> dict[str, Any]:
    quotas = [
        {"name": flavor["metadata"]["name"], "resources": _resources(queue, pools)}
        for flavor, pools in flavors
    ]
    spec = {
        "cohortName": COHORT,
        "namespaceSelector": {},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [
            {"coveredResources": ["cpu", "memory", GPU_RESOURCE], "flavors": quotas},
        ],
    }
    return _manifest("ClusterQueue", queue.project if queue else COHORT, spec)


def _resources(queue: QueueSpec | None, pools: list[PoolPlacement]) -> list[dict[str, Any]]:
    unknown = _data()["unknown"]
    cpus = int(sum(pool.nodes * pool.cpus for pool in pools)) or unknown["cpu"]
    memory = int(sum(pool.nodes * pool.memory_gib for pool in pools)) or unknown["memory_gib"]
    bought = sum(pool.nodes * pool.accelerator_count for pool in pools)
    gpus: dict[str, Any] = {"name": GPU_RESOURCE, "nominalQuota": bought}
    if queue and bought:
        gpus |= {"nominalQuota": queue.gpus, "borrowingLimit": queue.borrow}
    return [
        {"name": "cpu", "nominalQuota": cpus},
        {"name": "memory", "nominalQuota": f"{memory}Gi"},
        gpus,
    ]


def _local_queue(name: str, namespace: str, cluster_queue: str) -> dict[str, Any]:
    manifest = _manifest("LocalQueue", name, {"clusterQueue": cluster_queue})
    manifest["metadata"]["namespace"] = namespace
    return manifest


def _priority(name: str) -> dict[str, Any]:
    manifest = _manifest("WorkloadPriorityClass", name, None)
    return {**manifest, "value": priority_value(name)}


def _manifest(kind: str, name: str, spec: dict[str, Any] | None) -> dict[str, Any]:
    manifest: dict[str, Any] = {"apiVersion": VERSION, "kind": kind, "metadata": {"name": name}}
    return manifest if spec is None else {**manifest, "spec": spec}


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_name("queues.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data

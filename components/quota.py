"""Kueue's objects for one cluster: the quota is what was bought. Pure: no pulumi.

https://kueue.sigs.k8s.io/docs/concepts/cluster_queue/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from components.clusters.nodes import ACCELERATOR_LABEL, GPU_RESOURCE, allocatable
from components.placement import ClusterPlacement, PoolPlacement
from components.spec import Cloud, ColonySpec, QueueSpec
from jobs.data import parse
from jobs.errors import InputError, NotSupported, Problem
from jobs.quantities import counted
from jobs.spec import Backend, Job

__all__ = ["check_queues", "namespace_of", "priority_value", "queue_objects", "space_of"]

VERSION = "kueue.x-k8s.io/v1beta2"
COHORT = "colony"


def namespace_of(job: Job, spec: ColonySpec) -> str:
    """The namespace of the project that the job queues for; `default` without one."""
    for queue in spec.queues:
        if queue.project == job.queue:
            return space_of(queue)
    return "default"


def space_of(queue: QueueSpec) -> str:
    """Each project has a namespace of its own, named like it unless the spec says otherwise."""
    return queue.namespace or queue.project


def queue_objects(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job], labelled: bool
) -> list[dict[str, Any]]:
    """Manifests, each after what it refers to. Empty where no queue is named.

    Jobs of Volcano queue elsewhere (`volcano_queues`).
    """
    jobs = [job for job in jobs if job.backend is not Backend.VOLCANO]
    queues = _queues(spec, jobs)
    named = {job.priority for job in jobs if job.priority}
    classes = [_priority(name) for name in sorted(named | (_standard() if spec.queues else set()))]
    if not queues:
        return classes
    flavors = _flavors(_useful(placement, spec, jobs), labelled)
    groups = [(flavor["metadata"]["name"], _bought(pools, placement)) for flavor, pools in flavors]
    covered = _shared_out(spec.queues, groups) if spec.queues else [_cluster_queue(None, groups)]
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
    if shared > bought and (placement.pools or placement.cloud != Cloud.EXISTING.value):
        problems.append(
            Problem("queues", f"they share out {counted(shared, 'GPU')} of {bought} bought")
        )
    if problems:
        raise InputError(*problems)
    if len({pool.accelerator for pool in placement.pools if pool.accelerator}) > 1:
        raise NotSupported(Problem("queues", "GPUs of several kinds are not shared out yet"))


def _queues(spec: ColonySpec, jobs: list[Job]) -> list[tuple[str, str, str]]:
    """(local queue, namespace, cluster queue)."""
    if spec.queues:
        return [(q.project, space_of(q), q.project) for q in spec.queues]
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


def _shared_out(projects: list[QueueSpec], groups: list[_Group]) -> list[dict[str, Any]]:
    """What no project has belongs to the cohort, so that all quotas together are what was bought.

    Cores and memory follow the GPUs. https://kueue.sigs.k8s.io/docs/concepts/cohort/
    """
    left = [(name, whole.minus(projects)) for name, whole in groups]
    cohort = _manifest("Cohort", COHORT, {"resourceGroups": [_group(left)]})
    return [cohort, *(_cluster_queue(project, groups) for project in projects)]


def _cluster_queue(project: QueueSpec | None, groups: list[_Group]) -> dict[str, Any]:
    """https://kueue.sigs.k8s.io/docs/concepts/preemption/: who lent something gets it back."""
    preemption: dict[str, Any] = {"withinClusterQueue": "LowerPriority"}
    if project:
        preemption["reclaimWithinCohort"] = "Any"
        preemption["borrowWithinCohort"] = dict(_data()["borrow_within_cohort"])
        groups = [(name, whole.share(project)) for name, whole in groups]
    spec = {
        "cohortName": COHORT,
        "namespaceSelector": {},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": preemption,
        "resourceGroups": [_group(groups, project.borrow if project else None)],
    }
    return _manifest("ClusterQueue", project.project if project else COHORT, spec)


def _group(groups: list[_Group], borrow: int | None = None) -> dict[str, Any]:
    flavors = [{"name": name, "resources": part.quotas(borrow)} for name, part in groups]
    return {"coveredResources": ["cpu", "memory", GPU_RESOURCE], "flavors": flavors}


@dataclass(frozen=True)
class _Part:
    """Of one flavor: whole cores, GiB and GPUs."""

    cpus: int
    memory: int
    gpus: int

    def share(self, project: QueueSpec) -> _Part:
        """Flavors without GPUs are the cohort's alone: whoever comes first."""
        if not self.gpus:
            return _Part(0, 0, 0)
        part = min(project.gpus, self.gpus)
        return _Part(self.cpus * part // self.gpus, self.memory * part // self.gpus, part)

    def minus(self, projects: list[QueueSpec]) -> _Part:
        parts = [self.share(project) for project in projects]
        return _Part(
            self.cpus - sum(part.cpus for part in parts),
            self.memory - sum(part.memory for part in parts),
            self.gpus - sum(part.gpus for part in parts),
        )

    def quotas(self, borrow: int | None) -> list[dict[str, Any]]:
        limit = {} if borrow is None else {"borrowingLimit": borrow}
        return [
            {"name": "cpu", "nominalQuota": self.cpus},
            {"name": "memory", "nominalQuota": f"{self.memory}Gi"},
            {"name": GPU_RESOURCE, "nominalQuota": self.gpus, **limit},
        ]


_Group = tuple[str, _Part]


def _bought(pools: list[PoolPlacement], placement: ClusterPlacement) -> _Part:
    """What pods can have of it; where no size is known, in effect no limit."""
    unknown = _data()["unknown"]
    sizes = [(pool.nodes, *allocatable(pool, placement.cloud)) for pool in pools]
    gpus = sum(pool.nodes * pool.accelerator_count for pool in pools)
    return _Part(
        int(sum(nodes * cores for nodes, cores, _ in sizes)) or unknown["cpu"],
        int(sum(nodes * gib for nodes, _, gib in sizes)) or unknown["memory_gib"],
        gpus if pools else unknown["gpu"],
    )


def _standard() -> set[str]:
    return set(_data()["priorities"])


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
    data: dict[str, Any] = parse(text)
    return data

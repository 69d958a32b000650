"""Which kinds a job is made of, and which of a cluster's objects are a job's. Pure.

A kind is named `Kind.group`, or `Kind` alone in the core group. What a job's state means is
`jobs.state`'s to say; here is only what has to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["WORKLOADS", "carries", "explaining", "named", "of_job", "rank_name", "watched"]

WORKLOADS = {
    "jobset": "JobSet.jobset.x-k8s.io",
    "job": "Job.batch",
    "volcano": "Job.batch.volcano.sh",
    "trainjob": "TrainJob.trainer.kubeflow.org",
    "mpijob": "MPIJob.kubeflow.org",
    "rayjob": "RayJob.ray.io",
}
"""By back end: what the user asked for."""
MADE = {"trainjob": ["JobSet.jobset.x-k8s.io"], "rayjob": ["RayCluster.ray.io"]}
"""By back end: what its controller makes, beside Jobs and Pods."""
ALWAYS = ["Job.batch", "Pod"]
GANG = {"volcano": ["PodGroup.scheduling.volcano.sh"]}
QUEUED = ["Workload.kueue.x-k8s.io"]
"""What Kueue makes of a job that queues."""
AROUND = ["Event", "Node"]
LABELS = ("colony.dev/job", "jobset.sigs.k8s.io/jobset-name")
ROLES = (
    "colony.dev/role", "jobset.sigs.k8s.io/replicatedjob-name", "volcano.sh/task-spec",
    "training.kubeflow.org/job-role", "ray.io/group",
)  # fmt: skip
INDICES = (
    "batch.kubernetes.io/job-completion-index", "volcano.sh/task-index",
    "training.kubeflow.org/replica-index",
)  # fmt: skip

Object = dict[str, Any]


def named(manifest: Object) -> str:
    """Its `Kind.group`; empty where it is no object."""
    group, slash, _ = str(manifest.get("apiVersion", "")).rpartition("/")
    kind = str(manifest.get("kind", ""))
    return f"{kind}.{group}" if slash else kind


def watched(backend: str) -> list[str]:
    """The kinds that say how a job of this back end fares."""
    return list(dict.fromkeys([WORKLOADS[backend], *MADE.get(backend, []), *ALWAYS]))


def explaining(backend: str, queued: bool) -> list[str]:
    """The kinds that only say why; who may not read them does without."""
    return [*GANG.get(backend, []), *(QUEUED if queued else []), *AROUND]


def of_job(objects: Iterable[Object], job: str) -> list[Object]:
    """What carries the job's name or label, whatever that owns, and what is told of these."""
    found: list[Object] = []
    others: list[Object] = []
    for thing in objects:
        (found if carries(thing, job) else others).append(thing)
    owners = {_uid(thing) for thing in found}
    while fresh := [thing for thing in others if owners & _owners(thing)]:
        found += fresh
        owners = {_uid(thing) for thing in fresh}
        others = [thing for thing in others if thing not in fresh]
    known = {_uid(thing) for thing in found}
    nodes = {(thing.get("spec") or {}).get("nodeName") for thing in found}
    return found + [thing for thing in others if _is_about(thing, known, nodes)]


def carries(thing: Object, job: str) -> bool:
    """By its own name or labels."""
    labels = thing["metadata"].get("labels") or {}
    named = thing["metadata"]["name"] == job and thing.get("kind") not in ("Pod", "Node")
    return named or any(labels.get(label) == job for label in LABELS)


def rank_name(pod: Object) -> str:
    """`worker-3`, from what the engines write on a pod; otherwise its own name."""
    metadata = pod["metadata"]
    marks = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
    role = next((marks[name] for name in ROLES if name in marks), "")
    index = next((marks[name] for name in INDICES if name in marks), "")
    return f"{role}-{index}" if role and index else str(metadata["name"])


def _is_about(thing: Object, known: set[str], nodes: set[str | None]) -> bool:
    if thing.get("kind") == "Node":
        return thing["metadata"]["name"] in nodes
    return (thing.get("involvedObject") or {}).get("uid") in known


def _uid(thing: Object) -> str:
    return str(thing["metadata"].get("uid") or "none")


def _owners(thing: Object) -> set[str]:
    return {str(each.get("uid")) for each in thing["metadata"].get("ownerReferences") or []}

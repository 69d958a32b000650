"""The workload: the object that an engine runs, with Kueue's labels, suspended where it waits.

https://kueue.sigs.k8s.io/docs/reference/labels-and-annotations/
"""

from __future__ import annotations

from jobs.backends.marks import Manifest, notes, own_labels
from jobs.context import JobContext
from jobs.spec import Job

__all__ = [
    "PRIORITY_LABEL",
    "QUEUE_LABEL",
    "queue_labels",
    "queue_of",
    "suspended",
    "workload",
    "workload_labels",
]

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"


def workload(job: Job, context: JobContext, kind: tuple[str, str], spec: Manifest) -> Manifest:
    """An object named like the job; `kind` is (apiVersion, kind)."""
    return {
        "apiVersion": kind[0],
        "kind": kind[1],
        "metadata": {
            "name": job.name,
            "namespace": context.namespace,
            "labels": workload_labels(job, context),
            "annotations": notes(job, context),
        },
        "spec": spec,
    }


def workload_labels(job: Job, context: JobContext) -> dict[str, str]:
    """Of the workload: the user's own, ours, and Kueue's."""
    return {**job.resources.labels, **own_labels(job, context), **queue_labels(job)}


def queue_labels(job: Job) -> dict[str, str]:
    """Kueue's, of what queues."""
    queue = queue_of(job)
    labels = {QUEUE_LABEL: queue} if queue else {}
    return {**labels, PRIORITY_LABEL: job.priority} if job.priority else labels


def queue_of(job: Job) -> str | None:
    """The local queue, however it was named."""
    return job.queue or job.resources.labels.get(QUEUE_LABEL)


def suspended(job: Job) -> bool:
    """Until its queue admits it, or the user resumes it."""
    return job.suspend or queue_of(job) is not None

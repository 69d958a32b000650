"""A job as a Kubeflow TrainJob, and the TrainingRuntime it refers to.

https://www.kubeflow.org/docs/components/trainer/. The runtime is our own, in the job's namespace:
its template is the JobSet that the back end jobset would make, so that pods, environment, scripts
and rules are the same. It has no `mlPolicy`: Trainer would set its own environment. Trainer names
the JobSet like the TrainJob, and sets whether it is suspended.
"""

from __future__ import annotations

from jobs.backends.jobset import jobset_spec
from jobs.backends.marks import Manifest, metadata, notes
from jobs.backends.queueing import suspended, workload
from jobs.context import JobContext
from jobs.spec import Job

__all__ = ["KIND", "render"]

KIND = ("trainer.kubeflow.org/v1alpha1", "TrainJob")
RUNTIME = "TrainingRuntime"


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The runtime, then the TrainJob."""
    return [_runtime(job, context), workload(job, context, KIND, _spec(job))]


def _runtime(job: Job, context: JobContext) -> Manifest:
    own = metadata(job, context, job.name)
    return {
        "apiVersion": KIND[0],
        "kind": RUNTIME,
        "metadata": own,
        "spec": {
            "template": {
                "metadata": {"labels": own["labels"], "annotations": notes(job, context)},
                "spec": jobset_spec(job, context),
            }
        },
    }


def _spec(job: Job) -> Manifest:
    group = KIND[0].partition("/")[0]
    return {
        "suspend": suspended(job),
        "runtimeRef": {"apiGroup": group, "kind": RUNTIME, "name": job.name},
        "activeDeadlineSeconds": job.max_run_time,
    }

"""Where the object is whose end is a job's end, for every back end."""

from __future__ import annotations

from jobs.roles import members
from jobs.spec import Backend, Job

__all__ = ["ends_with"]

_WORKLOADS = {
    Backend.JOBSET: ("/apis/jobset.x-k8s.io/v1alpha2", "jobsets"),
    Backend.JOB: ("/apis/batch/v1", "jobs"),
    Backend.VOLCANO: ("/apis/batch.volcano.sh/v1alpha1", "jobs"),
    Backend.TRAINJOB: ("/apis/trainer.kubeflow.org/v1alpha1", "trainjobs"),
    Backend.MPIJOB: ("/apis/kubeflow.org/v2beta1", "mpijobs"),
    Backend.RAYJOB: ("/apis/ray.io/v1", "rayjobs"),
}


def ends_with(job: Job) -> dict[str, str]:
    """Path of the API, resource, and name. `job` is complete. Of plain Jobs it is the one of the
    role that decides."""
    from jobs.backends.deciding import decider, in_workload

    path, resource = _WORKLOADS[job.backend]
    name = job.name
    if job.backend is Backend.JOB:
        name = f"{job.name}-{decider(job, in_workload(members(job))).name}"
    return {"path": path, "resource": resource, "name": name}

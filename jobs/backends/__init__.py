"""Back ends: one job as the Kubernetes objects of the engine that runs it.

All give the same environment contract (jobs/environment.py): the same entry point, scripts and
ranks. Which framework runs on which is in jobs/pairs.yaml, what an engine cannot say in limits.py.
"""

from __future__ import annotations

from collections.abc import Callable

from jobs.backends import job as indexed_jobs
from jobs.backends import jobset, mpijob, rayjob, trainjob, volcano
from jobs.backends.access import access
from jobs.backends.elastic import elastic_manifests
from jobs.backends.limits import check_limits
from jobs.backends.marks import Manifest, scripts_map, seal
from jobs.context import JobContext
from jobs.frameworks import complete
from jobs.spec import Backend, Job

__all__ = ["KINDS", "Manifest", "render"]

_RENDER: dict[Backend, Callable[[Job, JobContext], list[Manifest]]] = {
    Backend.JOBSET: jobset.render,
    Backend.JOB: indexed_jobs.render,
    Backend.VOLCANO: volcano.render,
    Backend.TRAINJOB: trainjob.render,
    Backend.MPIJOB: mpijob.render,
    Backend.RAYJOB: rayjob.render,
}
KINDS: dict[Backend, tuple[str, str]] = {
    Backend.JOBSET: jobset.KIND,
    Backend.JOB: indexed_jobs.KIND,
    Backend.VOLCANO: volcano.KIND,
    Backend.TRAINJOB: trainjob.KIND,
    Backend.MPIJOB: mpijob.KIND,
    Backend.RAYJOB: rayjob.KIND,
}
"""The workload's apiVersion and kind."""


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The manifests of a job in the order they are created; the last is the workload.

    Secrets are only referred to (`context.env_secret`, `context.code_secret`). Raises InputError
    (NotSupported for what only another back end can do) with the path of each mistake.
    """
    job = complete(job)
    check_limits(job)
    return seal(
        [
            scripts_map(job, context),
            *access(job, context),
            *elastic_manifests(job, context),
            *_RENDER[job.backend](job, context),
        ]
    )

"""The elastic role of a job: no part of the workload, but a template for the agent."""

from __future__ import annotations

from jobs.backends.marks import Manifest
from jobs.backends.pod import pod_template
from jobs.context import JobContext
from jobs.elastic import manifests
from jobs.roles import members
from jobs.spec import Backend, Job

__all__ = ["elastic_manifests", "elastic_template"]

JOBSET_LABEL = "jobset.sigs.k8s.io/jobset-name"
"""JobSet's headless service selects it, and with it the pods' names resolve."""


def elastic_manifests(job: Job, context: JobContext) -> list[Manifest]:
    """What the agent makes the pods from (jobs/elastic.py)."""
    return manifests(job, context, elastic_template(job, context)) if job.elastic else []


def elastic_template(job: Job, context: JobContext) -> Manifest:
    """`metadata` and `spec` of such a pod; its index and host name are the agent's to set."""
    role = next(each for each in members(job) if each.elastic)
    template = pod_template(job, role, context, index=None, wait=True)
    template["spec"]["subdomain"] = job.name
    if job.backend is Backend.JOBSET:
        template["metadata"]["labels"][JOBSET_LABEL] = job.name
    return template

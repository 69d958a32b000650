"""A job as plain Indexed Jobs, one a role, and a headless service: it needs no CRD.

The pod of index i of a Job is called `<name of the Job>-<i>`, and has that host name
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode). The last Job is
the one whose success ends the job; nothing in the cluster ends the others then: the colony does.
"""

from __future__ import annotations

from jobs.backends.deciding import decider, in_workload
from jobs.backends.indexed import INDEX_LABEL, job_spec
from jobs.backends.marks import Manifest, role_labels
from jobs.backends.pod import pod_template
from jobs.backends.queueing import suspended, workload
from jobs.backends.services import headless, rank0_service
from jobs.context import JobContext
from jobs.member import Member
from jobs.roles import members
from jobs.spec import Job

__all__ = ["INDEX_LABEL", "KIND", "render"]

KIND = ("batch/v1", "Job")


def render(job: Job, context: JobContext) -> list[Manifest]:
    """Services, then the Jobs."""
    roles = in_workload(members(job))
    last = decider(job, roles)
    order = [*(role for role in roles if role is not last), last]
    services = [headless(job, context), *rank0_service(job, context, INDEX_LABEL)]
    return [*services, *(_job(job, role, context, alone=len(roles) == 1) for role in order)]


def _job(job: Job, role: Member, context: JobContext, alone: bool) -> Manifest:
    template = pod_template(job, role, context, wait=True)
    template["spec"]["subdomain"] = job.name
    spec = {"suspend": suspended(job), **job_spec(job, role, template)}
    if alone and role.replicas == 1:
        spec["backoffLimit"] = max(spec.get("backoffLimit", 0), job.policy.backoff_limit)
    if job.policy.ttl is not None:
        spec["ttlSecondsAfterFinished"] = job.policy.ttl
    made = workload(job, context, KIND, spec)
    made["metadata"]["name"] = f"{job.name}-{role.name}"
    made["metadata"]["labels"] |= role_labels(job, role, context)
    return made

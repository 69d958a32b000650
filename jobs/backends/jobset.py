"""A job as a JobSet: one replicated Indexed Job per role, so that N nodes are one gang of N pods.

Fields and defaults follow the v1alpha2 API (https://jobset.sigs.k8s.io/docs/reference/); what
JobSet's webhook would fill in is written out, so that a later `up` sees no difference. Kueue reads
its labels on the JobSet (https://kueue.sigs.k8s.io/docs/tasks/run/jobsets/).

A JobSet fails with any of its Jobs. So a role whose failure does not end the job has a Job that
never fails: its pods start again, until the job ends or `max_run_time` does. Success of
alternatives that are more than single roles is beyond a JobSet: it then completes when all roles
have, and jobs/state.py, which knows the rule, may see the end before.
"""

from __future__ import annotations

from jobs.backends.deciding import ends_by_failing, in_workload, ordered, success_clauses
from jobs.backends.indexed import INDEX_LABEL, job_spec
from jobs.backends.marks import Manifest, role_labels
from jobs.backends.pod import pod_template
from jobs.backends.queueing import suspended, workload
from jobs.backends.services import rank0_service
from jobs.context import JobContext
from jobs.member import Member
from jobs.policy import RolePhase
from jobs.roles import members
from jobs.spec import Job

__all__ = ["KIND", "jobset_spec", "render"]

KIND = ("jobset.x-k8s.io/v1alpha2", "JobSet")


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The service of rank 0, then the JobSet; the headless service is JobSet's."""
    spec = {"suspend": suspended(job), **jobset_spec(job, context)}
    return [
        *rank0_service(job, context, INDEX_LABEL),
        workload(job, context, KIND, spec),
    ]


def jobset_spec(job: Job, context: JobContext) -> Manifest:
    """Of a JobSet, as Kubeflow Trainer takes it too."""
    roles = ordered(in_workload(members(job)))
    spec: Manifest = {
        "network": {
            "enableDNSHostnames": True,
            "subdomain": job.name,
            "publishNotReadyAddresses": True,
        },
        "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
        "successPolicy": _success_policy(job, roles),
        "failurePolicy": _failure_policy(job),
        "replicatedJobs": [_replicated_job(job, role, context, roles) for role in roles],
    }
    if job.policy.ttl is not None:
        spec["ttlSecondsAfterFinished"] = job.policy.ttl
    return spec


def _success_policy(job: Job, roles: list[Member]) -> Manifest:
    clauses = success_clauses(job, roles)
    everyone = {role.name for role in roles}
    if len(clauses) == 1 and set(clauses[0]) != everyone:
        return {"operator": "All", "targetReplicatedJobs": clauses[0]}
    if len(clauses) > 1 and all(len(clause) == 1 for clause in clauses):
        return {"operator": "Any", "targetReplicatedJobs": [name for (name,) in clauses]}
    return {"operator": "All"}


def _failure_policy(job: Job) -> Manifest:
    """A restart cures neither a deadline nor what a pod's exit code calls permanent."""
    rules = {"overtime": "DeadlineExceeded", "permanent": "PodFailurePolicy"}
    return {
        "maxRestarts": job.policy.backoff_limit,
        "restartStrategy": "Recreate",
        "rules": [
            {"name": name, "action": "FailJobSet", "onJobFailureReasons": [reason]}
            for name, reason in rules.items()
        ],
    }


def _replicated_job(job: Job, role: Member, context: JobContext, roles: list[Member]) -> Manifest:
    names = {each.name for each in roles}
    outside = any(each.role not in names for each in role.depends_on)
    template = pod_template(job, role, context, wait=outside)
    forgiving = not ends_by_failing(job, role)
    replicated: Manifest = {
        "name": role.name,
        "groupName": "default",
        "replicas": 1,
        "template": {
            "metadata": {"labels": role_labels(job, role, context)},
            "spec": job_spec(job, role, template, forgiving),
        },
    }
    before = [
        {"name": each.role, "status": _status(each.phase)}
        for each in role.depends_on
        if each.role in names
    ]
    return {**replicated, "dependsOn": before} if before else replicated


def _status(phase: RolePhase) -> str:
    return "Complete" if phase is RolePhase.SUCCEEDED else "Ready"

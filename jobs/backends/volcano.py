"""A job as a Volcano Job: one task a role, scheduled as a gang.

https://volcano.sh/en/docs/vcjob/. Volcano creates a task that depends on others only later, and a
gang that is not complete never starts: `dependsOn` is for jobs whose gang needs none of the tasks
that wait; in all others the pods start together and wait inside (`jobs/backends/pod.py`).

What ends it: a pod that failed ends a job whose role does so (or starts all again, within the
back-off limit), an evicted one any job; the deciding role's success completes it. Failed pods are
kept for their logs where nothing starts again. Rules that it cannot say (several roles of a longer
list, all pods of a role) are left to jobs/state.py.
"""

from __future__ import annotations

from jobs.backends.deciding import ends_by_failing, ordered, success_clauses
from jobs.backends.indexed import RESTARTS
from jobs.backends.marks import Manifest
from jobs.backends.pod import pod_template
from jobs.backends.queueing import workload
from jobs.backends.services import rank0_service
from jobs.context import JobContext
from jobs.member import Member
from jobs.policy import Pods, Restart
from jobs.roles import members
from jobs.spec import Job

__all__ = ["INDEX_LABEL", "KIND", "render"]

KIND = ("batch.volcano.sh/v1alpha1", "Job")
INDEX_LABEL = "volcano.sh/task-index"
SCHEDULER = "volcano"
_SIGNALS = range(129, 160)
"""128 + the number of the signal that ended the process."""
_PLUGINS = {
    "env": [],
    # The colony's agent and its logs are outside the job, so no network policy.
    "svc": ["--publish-not-ready-addresses=true", "--disable-network-policy=true"],
}


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The service of rank 0, then the Job; the headless service is the plugin's."""
    return [
        *rank0_service(job, context, INDEX_LABEL),
        workload(job, context, KIND, _spec(job, context)),
    ]


def _spec(job: Job, context: JobContext) -> Manifest:
    roles = ordered(members(job))
    spec: Manifest = {
        "schedulerName": SCHEDULER,
        "minAvailable": _gang(job, roles),
        "queue": job.queue or "default",
        "maxRetry": _retries(job, roles) + 1,
        "plugins": _PLUGINS,
        "policies": [{"event": "PodEvicted", "action": _action(job)}],
        "tasks": [_task(job, role, context, roles) for role in roles],
    }
    if job.priority:
        spec["priorityClassName"] = job.priority
    if job.policy.ttl is not None:
        spec["ttlSecondsAfterFinished"] = job.policy.ttl
    return spec


def _task(job: Job, role: Member, context: JobContext, roles: list[Member]) -> Manifest:
    staged = _staged(job, roles)
    index = f"metadata.labels['{INDEX_LABEL}']"
    template = pod_template(job, role, context, index=index, wait=not staged)
    template["spec"]["activeDeadlineSeconds"] = job.max_run_time
    task: Manifest = {
        "name": role.name,
        "replicas": role.replicas,
        "minAvailable": role.replicas,
        "maxRetry": max(RESTARTS, job.policy.backoff_limit),
        "policies": _policies(job, role, roles),
        "template": template,
    }
    if staged and role.depends_on:
        names = [each.role for each in role.depends_on]
        task["dependsOn"] = {"name": names, "iteration": "all"}
    return task


def _gang(job: Job, roles: list[Member]) -> int:
    return job.policy.gang or sum(role.replicas for role in roles)


def _staged(job: Job, roles: list[Member]) -> bool:
    """Whether the gang is complete without the tasks that wait for others."""
    first = sum(role.replicas for role in roles if not role.depends_on)
    return _gang(job, roles) <= first


def _policies(job: Job, role: Member, roles: list[Member]) -> list[Manifest]:
    """The first that fits an event is taken."""
    policies: list[Manifest] = []
    if role.restart is Restart.EXIT_CODE:
        policies += [{"exitCode": code, "action": "RestartPod"} for code in _SIGNALS]
    if ends_by_failing(job, role) and role.failed is Pods.ANY:
        policies += [{"events": ["PodFailed", "TaskFailed"], "action": _action(job)}]
    if [role.name] in success_clauses(job, roles) and len(roles) > 1:
        policies += [{"event": "TaskCompleted", "action": "CompleteJob"}]
    return policies


def _action(job: Job) -> str:
    """To start again kills all pods; to terminate keeps those that failed."""
    return "RestartJob" if job.policy.backoff_limit else "TerminateJob"


def _retries(job: Job, roles: list[Member]) -> int:
    """Volcano counts each new start, of a pod too, and fails the job at `maxRetry` of them."""
    again = any(role.restart is Restart.EXIT_CODE for role in roles)
    return max(job.policy.backoff_limit, RESTARTS if again else 0)

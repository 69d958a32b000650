"""A job as a RayJob: KubeRay makes a Ray cluster for it, submits the script, and takes it down.

https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayjob-quick-start.html. The pods
run our entry point, which ends in the `ray start` that KubeRay wrote for them
(`ray.io/overwrite-container-cmd`, `KUBERAY_GEN_RAY_START_CMD`); the RayJob's `entrypoint` is the
same in the head, for the user's script. A worker has the index that KubeRay keeps for it
(feature RayMultiHostIndexing, on since 1.6), and no stable name; the head has one.
"""

from __future__ import annotations

import shlex

from jobs.backends.marks import Manifest
from jobs.backends.pod import CONTAINER, pod_template
from jobs.backends.queueing import suspended, workload
from jobs.backends.services import headless
from jobs.context import JobContext
from jobs.entrypoint import command
from jobs.member import Member
from jobs.policy import CleanUp
from jobs.roles import members, rank0
from jobs.spec import Job

__all__ = ["INDEX_LABEL", "KIND", "STEP", "render"]

KIND = ("ray.io/v1", "RayJob")
INDEX_LABEL = "ray.io/worker-group-replica-index"
STEP = "COLONY_STEP"
OVERWRITE = "ray.io/overwrite-container-cmd"


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The headless service, then the RayJob."""
    rayjob = workload(job, context, KIND, _spec(job, context))
    rayjob["metadata"]["annotations"][OVERWRITE] = "true"
    return [headless(job, context), rayjob]


def _spec(job: Job, context: JobContext) -> Manifest:
    roles = members(job)
    head = rank0(job)
    spec: Manifest = {
        "suspend": suspended(job),
        "entrypoint": shlex.join(["env", f"{STEP}=run", *command()]),
        "submissionMode": "K8sJobMode",
        "backoffLimit": job.policy.backoff_limit,
        "activeDeadlineSeconds": job.max_run_time,
        "preRunningDeadlineSeconds": job.policy.startup_timeout,
        # Without it a RayJob cannot be suspended, and the cluster would outlive its job.
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _ttl(job),
        "submitterConfig": {"backoffLimit": 2},
        "rayClusterSpec": {
            "headGroupSpec": _head(job, head, context),
            "workerGroupSpecs": [_group(job, r, context) for r in roles if r.name != head.name],
        },
    }
    return spec


def _ttl(job: Job) -> int:
    """When the cluster goes. With `clean_up: None` it stays for a day at most."""
    kept = 24 * 3600 if job.policy.clean_up is CleanUp.NONE else 0
    return kept if job.policy.ttl is None else job.policy.ttl


def _head(job: Job, role: Member, context: JobContext) -> Manifest:
    template = _pod(job, role, context, index="0")
    template["spec"] |= {"hostname": f"{job.name}-{role.name}-0", "subdomain": job.name}
    return {"rayStartParams": {"dashboard-host": "0.0.0.0"}, "template": template}


def _group(job: Job, role: Member, context: JobContext) -> Manifest:
    return {
        "groupName": role.name,
        "replicas": role.replicas,
        "minReplicas": role.replicas,
        "maxReplicas": role.replicas,
        "numOfHosts": 1,
        "rayStartParams": {},
        "template": _pod(job, role, context, index=f"metadata.labels['{INDEX_LABEL}']"),
    }


def _pod(job: Job, role: Member, context: JobContext, index: str) -> Manifest:
    template = pod_template(job, role, context, index=index)
    container = next(c for c in template["spec"]["containers"] if c["name"] == CONTAINER)
    container["env"].append({"name": STEP, "value": "serve"})
    return template

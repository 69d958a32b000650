"""What an elastic job has in the cluster beside its workload. Pure.

    <job>-elastic-spec   ConfigMap made here: what is wanted, and the template of a worker's pod.
                         It never changes while the job runs, and owns all that the agent makes.
    <job>-elastic        ConfigMap made and written by the agent alone: target, hosts, requests.
                         Mounted in the launcher; so a later `up` never meddles with live state.
    <job>-elastic        PodDisruptionBudget: a drain waits until the agent has scaled in.

The launcher's pod takes part: `wait_command` holds it until its workers run, `probe` tells the
agent that it has let go of a leaving worker (colony/agent/elastic.sh, which the agent puts into
the mounted ConfigMap). It needs no rights in the cluster for either.
"""

from __future__ import annotations

import json
from typing import Any

from jobs.context import JobContext
from jobs.ending import ends_with
from jobs.frameworks.horovod import ELASTIC_MOUNT
from jobs.member import Member
from jobs.policy import CleanUp
from jobs.roles import members
from jobs.spec import Backend, Job

__all__ = [
    "ELASTIC_MOUNT", "live_name", "manifests", "probe", "removed_at_end", "spec_name",
    "wait_command",
]  # fmt: skip

Manifest = dict[str, Any]

_SETTLED = {
    "exec": {"command": ["bash", "-c", ":"]},
    "initialDelaySeconds": 3,
    "periodSeconds": 5,
}
"""A worker is announced when it is ready: until then its name cannot be looked up everywhere, and
the launcher's key is not there. Nothing in it may wait for the launcher, which waits for it."""


def manifests(job: Job, context: JobContext, pod_template: Manifest) -> list[Manifest]:
    """For a completed job; `pod_template` is a worker's `metadata` and `spec`."""
    if job.elastic is None:
        return []
    return [_spec_map(job, context, pod_template), _budget(job, context)]


def live_name(job: Job) -> str:
    """The agent's own ConfigMap."""
    return f"{job.name}-elastic"


def spec_name(job: Job) -> str:
    """Ours."""
    return f"{job.name}-elastic-spec"


def wait_command(job: Job) -> list[str]:
    """Of the launcher's init container: until as many workers run as there should be."""
    return ["bash", f"{ELASTIC_MOUNT}/elastic.sh", "wait", str(job.policy.startup_timeout)]


def probe() -> Manifest:
    """The readiness probe of the launcher's container; it has to be the only one."""
    return {
        "exec": {"command": ["bash", f"{ELASTIC_MOUNT}/elastic.sh", "probe"]},
        "periodSeconds": 2,
        "timeoutSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 1,
    }


def removed_at_end(job: Job) -> list[dict[str, str]]:
    """What the agent removes beside the workers when the job has ended."""
    if job.backend is not Backend.JOB or job.policy.clean_up is CleanUp.NONE:
        return []  # a JobSet's service goes with it
    return [{"resource": "services", "name": name} for name in (job.name, f"{job.name}-rank0")]


def _spec_map(job: Job, context: JobContext, template: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(job, context, spec_name(job)),
        "data": {"spec": json.dumps(_wanted(job, _single(job, template)), sort_keys=True)},
    }


def _wanted(job: Job, template: Manifest) -> dict[str, Any]:
    """The fields of `colony.agent.model.Spec`."""
    elastic = job.elastic
    assert elastic is not None
    role = _elastic_role(job)
    return {
        "job": job.name,
        "role": role.name,
        "min": elastic.min,
        "max": elastic.max,
        "start": role.replicas,
        "slots": elastic.slots or role.processes,
        "restart": role.restart.value,
        "timeout": elastic.scale_timeout,
        "grow": elastic.grow,
        "clean_up": job.policy.clean_up.value,
        "launcher": next((each.name for each in members(job) if each.launcher), ""),
        "workload": ends_with(job),
        "template": _queued(job, template),
        "remove": removed_at_end(job),
    }


def _queued(job: Job, template: Manifest) -> Manifest:
    """Each worker waits for its own share of the quota: Kueue's `pod` integration."""
    from jobs.backends.queueing import queue_labels

    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **queue_labels(job)}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _single(job: Job, template: Manifest) -> Manifest:
    """The agent decides what comes after a worker's end, so Kubernetes must not; and no worker
    outlives the job's bound, whatever becomes of the agent."""
    bounds = {"restartPolicy": "Never", "activeDeadlineSeconds": job.max_run_time}
    containers = [{"readinessProbe": _SETTLED, **each} for each in template["spec"]["containers"]]
    return {**template, "spec": {**template["spec"], **bounds, "containers": containers}}


def _budget(job: Job, context: JobContext) -> Manifest:
    """Bare pods can only be counted: with `max` as the least, none may be evicted while it runs.

    https://kubernetes.io/docs/tasks/run-application/configure-pdb/ (arbitrary workloads)
    """
    assert job.elastic is not None
    labels = {"colony.dev/colony": context.colony, "colony.dev/job": job.name}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(job, context, live_name(job)),
        "spec": {
            "minAvailable": job.elastic.max,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {**labels, "colony.dev/role": _elastic_role(job).name}},
        },
    }


def _elastic_role(job: Job) -> Member:
    return next(each for each in members(job) if each.elastic)


def _metadata(job: Job, context: JobContext, name: str) -> Manifest:
    labels = {
        "app.kubernetes.io/managed-by": "colony",
        "colony.dev/colony": context.colony,
        "colony.dev/job": job.name,
    }
    return {"name": name, "namespace": context.namespace, "labels": labels}

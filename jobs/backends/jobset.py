"""A job as a JobSet: one replicated Indexed Job per role, so that N nodes are one gang of N pods.

Fields and defaults follow the v1alpha2 API (https://jobset.sigs.k8s.io/docs/reference/); what
JobSet's webhook would fill in is written out, so that a later `up` sees no difference. Kueue reads
its labels on the JobSet (https://kueue.sigs.k8s.io/docs/tasks/run/jobsets/).
"""

from __future__ import annotations

import hashlib
import json

from jobs.backends.pod import CONTAINER, Manifest, own_labels, pod_spec, role_labels, scripts_name
from jobs.context import JobContext
from jobs.entrypoint import OUTPUTS_LOST, scripts
from jobs.roles import Member, members
from jobs.spec import Job

__all__ = [
    "CONTENT_HASH", "EXPECTED_SECONDS", "PRIORITY_LABEL", "QUEUE_LABEL", "JobContext",
    "render",
]  # fmt: skip

API_VERSION = "jobset.x-k8s.io/v1alpha2"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
EXPECTED_SECONDS = "colony.dev/expected-run-seconds"
CONTENT_HASH = "colony.dev/content-sha256"
CODE_HASH = "colony.dev/code-sha256"


def render(job: Job, context: JobContext) -> list[Manifest]:
    """The manifests of a job in the order they are created: the scripts, then the JobSet.

    Secrets are only referred to (`context.env_secret`, `context.code_secret`). Raises InputError
    for envs that contradict the environment contract, and GPUs that the default image cannot use.
    """
    manifests = [_config_map(job, context), _jobset(job, context)]
    text = json.dumps(manifests, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    for manifest in manifests:
        manifest["metadata"].setdefault("annotations", {})[CONTENT_HASH] = digest
    return manifests


def _config_map(job: Job, context: JobContext) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": scripts_name(job),
            "namespace": context.namespace,
            "labels": own_labels(job, context),
        },
        "data": scripts(job),
    }


def _jobset(job: Job, context: JobContext) -> Manifest:
    labels = _labels(job, context)
    return {
        "apiVersion": API_VERSION,
        "kind": "JobSet",
        "metadata": {
            "name": job.name,
            "namespace": context.namespace,
            "labels": labels,
            "annotations": _annotations(job, context),
        },
        "spec": {
            "suspend": QUEUE_LABEL in labels,
            "network": {
                "enableDNSHostnames": True,
                "subdomain": job.name,
                "publishNotReadyAddresses": True,
            },
            "startupPolicy": {"startupPolicyOrder": "AnyOrder"},
            "successPolicy": {"operator": "All"},
            "failurePolicy": _failure_policy(job),
            "replicatedJobs": [_replicated_job(job, role, context) for role in members(job)],
        },
    }


def _failure_policy(job: Job) -> Manifest:
    """A restart cures neither a deadline nor lost outputs."""
    rules = [("overtime", "DeadlineExceeded")]
    if job.outputs:
        rules.append(("outputs_lost", "PodFailurePolicy"))
    return {
        "maxRestarts": job.policy.backoff_limit,
        "restartStrategy": "Recreate",
        "rules": [
            {"name": name, "action": "FailJobSet", "onJobFailureReasons": [reason]}
            for name, reason in rules
        ],
    }


def _replicated_job(job: Job, role: Member, context: JobContext) -> Manifest:
    spec: Manifest = {
        "completionMode": "Indexed",
        "parallelism": role.replicas,
        "completions": role.replicas,
        "backoffLimit": 0,
        "activeDeadlineSeconds": job.max_run_time,
        "template": {
            "metadata": {"labels": role_labels(job, role, context)},
            "spec": pod_spec(job, role, context),
        },
    }
    if job.outputs:
        codes = {"containerName": CONTAINER, "operator": "In", "values": [OUTPUTS_LOST]}
        spec["podFailurePolicy"] = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    return {
        "name": role.name,
        "groupName": "default",
        "replicas": 1,
        "template": {"metadata": {"labels": role_labels(job, role, context)}, "spec": spec},
    }


def _labels(job: Job, context: JobContext) -> dict[str, str]:
    labels = {**job.resources.labels, **own_labels(job, context)}
    if job.queue:
        labels[QUEUE_LABEL] = job.queue
    if job.priority:
        labels[PRIORITY_LABEL] = job.priority
    return labels


def _annotations(job: Job, context: JobContext) -> dict[str, str]:
    annotations = {EXPECTED_SECONDS: str(job.expected_run_time)}
    if context.code_sha256:
        annotations[CODE_HASH] = context.code_sha256
    return annotations

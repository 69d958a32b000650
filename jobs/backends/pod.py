"""The pod of a role: what every Kubernetes back end puts into its own kind of job."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from jobs.context import JobContext
from jobs.entrypoint import CODE_MOUNT, SCRIPTS_MOUNT, command, entrypoint_env
from jobs.environment import COLONY_HOME, shared
from jobs.errors import InputError, Problem
from jobs.roles import Member
from jobs.spec import Job

__all__ = [
    "CONTAINER", "Manifest", "default_image", "own_labels", "pod_spec", "role_labels",
    "scripts_name",
]  # fmt: skip

CONTAINER = "trainer"
COMPLETION_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
GRACE_SECONDS = 60

Manifest = dict[str, Any]


def pod_spec(job: Job, role: Member, context: JobContext) -> Manifest:
    """The spec of every pod of a role."""
    volumes = _volumes(job, context)
    pod: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "tolerations": _tolerations(role, context),
        "containers": [_container(job, role, context, volumes)],
        "volumes": [{"name": name, **source} for name, _, source in volumes],
    }
    if context.node_selector:
        pod["nodeSelector"] = dict(context.node_selector)
    if context.service_account:
        pod["serviceAccountName"] = context.service_account
    return pod


def own_labels(job: Job, context: JobContext) -> dict[str, str]:
    """What marks every object of a job as ours."""
    return {
        "app.kubernetes.io/managed-by": "colony",
        "colony.dev/colony": context.colony,
        "colony.dev/job": job.name,
    }


def role_labels(job: Job, role: Member, context: JobContext) -> dict[str, str]:
    """Those of a role's Jobs and pods."""
    return {**own_labels(job, context), "colony.dev/role": role.name}


def scripts_name(job: Job) -> str:
    """The ConfigMap of the job's scripts."""
    return f"{job.name}-scripts"


@cache
def default_image() -> str:
    """The image of a job that names none (jobs/images.yaml)."""
    text = (Path(__file__).parents[1] / "images.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text)["default"])


def _container(
    job: Job, role: Member, context: JobContext, volumes: list[tuple[str, str, Manifest]]
) -> Manifest:
    container: Manifest = {
        "name": CONTAINER,
        "image": role.image or _default_image(role),
        "command": command(),
        "env": _env(job, role, context),
        "resources": _resources(role),
        "volumeMounts": [
            {"name": name, "mountPath": path}
            | ({"readOnly": True} if "emptyDir" not in src else {})
            for name, path, src in volumes
        ],
    }
    if context.env_secret:
        container["envFrom"] = [{"secretRef": {"name": context.env_secret}}]
    if role.gpus:
        container["securityContext"] = {"capabilities": {"add": ["IPC_LOCK"]}}
    return container


def _default_image(role: Member) -> str:
    if role.gpu_resource not in ("", "nvidia.com/gpu"):
        accelerators = role.resources.accelerators
        message = f"the default image is for CUDA, and {accelerators} needs its own: name one"
        raise InputError(Problem("image", message))
    return default_image()


def _env(job: Job, role: Member, context: JobContext) -> list[Manifest]:
    """Kubernetes expands `$(NAME)` and reduces `$$` in values; a doubled `$` is always one `$`."""
    fixed = entrypoint_env(job, role, code=bool(context.code_secret))
    values = {**shared(job, role.name, context), **fixed}
    index = {"fieldRef": {"apiVersion": "v1", "fieldPath": COMPLETION_INDEX}}
    return [
        *({"name": name, "value": value.replace("$", "$$")} for name, value in values.items()),
        {"name": "COLONY_POD_INDEX", "valueFrom": index},
    ]


def _resources(role: Member) -> Manifest:
    requests: dict[str, str] = {}
    if role.resources.cpus:
        requests["cpu"] = role.resources.cpus.rstrip("+")
    if role.resources.memory:
        requests["memory"] = f"{role.resources.memory.rstrip('+')}Gi"
    if not role.gpus:
        return {"requests": requests} if requests else {}
    gpu = {role.gpu_resource: str(role.gpus)}
    return {"requests": {**requests, **gpu}, "limits": gpu}


def _volumes(job: Job, context: JobContext) -> list[tuple[str, str, Manifest]]:
    """(name, mount path, source)."""
    volumes: list[tuple[str, str, Manifest]] = [
        ("colony", COLONY_HOME, {"emptyDir": {}}),
        ("shm", "/dev/shm", {"emptyDir": {"medium": "Memory"}}),
        ("scripts", SCRIPTS_MOUNT, {"configMap": {"name": scripts_name(job)}}),
    ]
    if context.code_secret:
        volumes.append(("code", CODE_MOUNT, {"secret": {"secretName": context.code_secret}}))
    return volumes


def _tolerations(role: Member, context: JobContext) -> list[Manifest]:
    gpu = {"key": role.gpu_resource, "operator": "Exists", "effect": "NoSchedule"}
    return [*([gpu] if role.gpus else []), *context.tolerations]

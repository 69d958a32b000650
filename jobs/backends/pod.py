"""The pod of a role: what every Kubernetes back end puts into its own kind of job."""

from __future__ import annotations

from functools import cache

from jobs import elastic
from jobs.backends.access import identity
from jobs.backends.fabric import Fabric, fabric_of
from jobs.backends.marks import Manifest, role_labels, spread_labels
from jobs.backends.overlay import overlaid
from jobs.backends.volumes import Mount, mounts_of
from jobs.context import JobContext
from jobs.data import load
from jobs.entrypoint import command, entrypoint_env, wait_command
from jobs.environment import shared
from jobs.errors import InputError, Problem
from jobs.member import Member
from jobs.policy import Restart
from jobs.roles import members
from jobs.spec import Job

__all__ = ["CONTAINER", "WAIT", "default_image", "image_of", "pod_spec", "pod_template"]

CONTAINER = "trainer"
WAIT = "wait"
"""The init container that waits for other roles."""
COMPLETION_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
GRACE_SECONDS = 60
_ENGINES_OWN = ("restartPolicy", "subdomain", "hostname", "schedulerName")
"""Not for the user's template: the role's `restart` and the back end say them."""


def pod_template(
    job: Job,
    role: Member,
    context: JobContext,
    index: str | None = COMPLETION_INDEX,
    wait: bool = False,
) -> Manifest:
    """`metadata` and `spec` of every pod of a role, with the user's template laid over it.

    `index` is the field that holds the pod's index: a path, or a number that is the same in all;
    None = it is set later. With `wait` an init container waits for the roles it depends on.
    """
    labels = {**role_labels(job, role, context), **context.pod_labels}
    ours = {"metadata": {"labels": labels}, "spec": pod_spec(job, role, context, index, wait)}
    notes = fabric_of(job, role, context).annotations
    if notes:
        ours["metadata"]["annotations"] = notes
    merged: Manifest = overlaid(ours, role.template)
    merged["metadata"]["labels"] = {**merged["metadata"]["labels"], **labels}
    fixed = {name: ours["spec"][name] for name in _ENGINES_OWN if name in ours["spec"]}
    rest = {name: value for name, value in merged["spec"].items() if name not in _ENGINES_OWN}
    merged["spec"] = {**fixed, **rest}
    return merged


def pod_spec(
    job: Job,
    role: Member,
    context: JobContext,
    index: str | None = COMPLETION_INDEX,
    wait: bool = False,
) -> Manifest:
    """The spec alone, as Colony writes it."""
    fabric = fabric_of(job, role, context)
    every = [*mounts_of(job, role, context), *fabric.mounts]
    pod: Manifest = {
        "restartPolicy": restart_policy(role),
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        **identity(job, role, context),
        "enableServiceLinks": False,
        "tolerations": _tolerations(job, context),
        "containers": [_container(job, role, context, index, every, fabric)],
        "volumes": [mount.volume() for mount in every],
    }
    waiting = _waiting(job, role, every) if wait else None
    if waiting:
        pod["initContainers"] = [waiting]
    if job.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in job.image_pull_secrets]
    return {**pod, **_placement(job, context), **_network(role)}


def restart_policy(role: Member) -> str:
    """The kubelet's part of it: ExitCode is decided by the back end, so the pod itself ends."""
    return "Never" if role.restart is Restart.EXIT_CODE else role.restart.value


@cache
def default_image() -> str:
    """The image of a job that names none (jobs/images.yaml)."""
    return str(load("images.yaml")["default"])


def _container(
    job: Job,
    role: Member,
    context: JobContext,
    index: str | None,
    mounts: list[Mount],
    fabric: Fabric,
) -> Manifest:
    container: Manifest = {
        "name": CONTAINER,
        "image": image_of(role),
        "command": command(),
        "env": _env(job, role, context, index, fabric),
        "resources": _resources(role, fabric),
        "volumeMounts": [mount.mount() for mount in mounts],
    }
    if role.ports:
        container["ports"] = [
            {"name": name, "containerPort": port} for name, port in role.ports.items()
        ]
    sources = _env_from(job, context)
    if sources:
        container["envFrom"] = sources
    if role.launcher and job.elastic:
        container["readinessProbe"] = elastic.probe()
    if fabric.capabilities:
        container["securityContext"] = {"capabilities": {"add": list(fabric.capabilities)}}
    return container


def _waiting(job: Job, role: Member, mounts: list[Mount]) -> Manifest | None:
    """The role's own image, and nothing but the script: no rights, no code, no secrets.

    The launcher of an elastic job waits for as many workers as there should be now.
    """
    moving = role.launcher and job.elastic is not None
    argv = elastic.wait_command(job) if moving else wait_command(job, role)
    needed = "elastic" if moving else "scripts"
    mounted = [mount.mount() for mount in mounts if mount.name == needed]
    if not argv:
        return None
    return {"name": WAIT, "image": image_of(role), "command": argv, "volumeMounts": mounted}


def image_of(role: Member) -> str:
    if role.image:
        return role.image
    if role.gpu_resource not in ("", "nvidia.com/gpu"):
        accelerators = role.resources.accelerators
        message = f"the default image is for CUDA, and {accelerators} needs its own: name one"
        raise InputError(Problem("image", message))
    return default_image()


def _env(
    job: Job, role: Member, context: JobContext, index: str | None, fabric: Fabric
) -> list[Manifest]:
    """Kubernetes expands `$(NAME)` and reduces `$$` in values; a doubled `$` is always one `$`."""
    fixed = entrypoint_env(job, role, code=bool(context.code_secret))
    values = {**fabric.env, **shared(job, role.name, context), **fixed}
    env = [{"name": name, "value": value.replace("$", "$$")} for name, value in values.items()]
    env += [_secret_env(name, *ref) for name, ref in _secret_keys(job, values).items()]
    return env if index is None else [*env, _index_env(index)]


def _index_env(index: str) -> Manifest:
    name = "COLONY_POD_INDEX"
    if index.isdigit():
        return {"name": name, "value": index}
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": index}}}


def _secret_keys(job: Job, values: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Variable -> (Secret, key)."""
    found = {
        variable: (source.secret, key)
        for source in job.env_from
        for variable, key in source.keys.items()
    }
    twice = sorted(found.keys() & values.keys())
    if twice:
        raise InputError(*(Problem("env_from", f"{name} is set already") for name in twice))
    return found


def _secret_env(name: str, secret: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _env_from(job: Job, context: JobContext) -> list[Manifest]:
    whole = [source.secret for source in job.env_from if not source.keys]
    own = [context.env_secret] if context.env_secret else []
    return [{"secretRef": {"name": name}} for name in (*own, *whole)]


def _resources(role: Member, fabric: Fabric) -> Manifest:
    requests: dict[str, str] = {}
    if role.resources.cpus:
        requests["cpu"] = role.resources.cpus.rstrip("+")
    if role.resources.memory:
        requests["memory"] = f"{role.resources.memory.rstrip('+')}Gi"
    devices = {role.gpu_resource: str(role.gpus)} if role.gpus else {}
    devices |= fabric.resources
    if not requests and any(name.startswith("hugepages-") for name in devices):
        requests["cpu"] = "1"  # Kubernetes gives no huge pages without one of cpu and memory
    if devices:
        return {"requests": {**requests, **devices}, "limits": devices}
    return {"requests": requests} if requests else {}


def _tolerations(job: Job, context: JobContext) -> list[Manifest]:
    """A role without accelerators (a launcher) stands beside those that have them."""
    resources = dict.fromkeys(each.gpu_resource for each in members(job) if each.gpus)
    gpus = [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in resources]
    own = [each.model_dump(exclude_none=True) for each in job.tolerations]
    return [*gpus, *context.tolerations, *own]


def _placement(job: Job, context: JobContext) -> Manifest:
    placement: Manifest = {}
    if context.node_selector:
        placement["nodeSelector"] = dict(context.node_selector)
    if job.spread:
        term = {
            "labelSelector": {"matchLabels": spread_labels(job, context)},
            "topologyKey": "kubernetes.io/hostname",
        }
        apart = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        placement["affinity"] = {"podAntiAffinity": apart}
    return placement


def _network(role: Member) -> Manifest:
    if not role.host_network:
        return {}
    return {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}

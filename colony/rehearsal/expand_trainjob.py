"""A TrainJob and its TrainingRuntime as the JobSet that Kubeflow Trainer makes of them.

https://github.com/kubeflow/trainer/tree/v2.3.0/pkg/runtime/framework/plugins (torch, mpi, jobset).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from colony.rehearsal.expand import Manifest
from jobs.errors import NotSupported, Problem

__all__ = ["as_jobset"]

ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"
NODE, LAUNCHER = "node", "launcher"
TORCH_PORT = "29400"


def as_jobset(
    job: Manifest, manifests: Sequence[Manifest]
) -> tuple[Manifest, list[Manifest], dict[str, str]]:
    """(JobSet, environment added to every trainer, files of the launcher)."""
    runtime = _runtime(job, manifests)
    spec = copy.deepcopy(runtime["spec"]["template"]["spec"])
    name, policy = job["metadata"]["name"], runtime["spec"].get("mlPolicy") or {}
    nodes = _nodes(job, policy)
    spec.setdefault("network", {}).setdefault("subdomain", name)
    for each in spec["replicatedJobs"]:
        _settle(each, job, nodes)
    jobset = {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {**job["metadata"], "name": name},
        "spec": spec,
    }
    limit = job["spec"].get("activeDeadlineSeconds")
    if limit:
        for each in spec["replicatedJobs"]:
            each["template"]["spec"].setdefault("activeDeadlineSeconds", limit)
    env = list(_torch_env(job, policy, nodes)) if "torch" in policy else []
    files = _hostfile(job, policy["mpi"], nodes) if "mpi" in policy else {}
    return jobset, env, files


def _runtime(job: Manifest, manifests: Sequence[Manifest]) -> Manifest:
    wanted = job["spec"]["runtimeRef"]["name"]
    for each in manifests:
        if each.get("kind", "").endswith("TrainingRuntime") and each["metadata"]["name"] == wanted:
            return each
    raise NotSupported(Problem("runtimeRef", f"the TrainingRuntime {wanted!r} is not among them"))


def _nodes(job: Manifest, policy: Manifest) -> int:
    """0 = as many as the runtime's own template says."""
    trainer = job["spec"].get("trainer") or {}
    return int(trainer.get("numNodes") or policy.get("numNodes") or 0)


def _settle(group: Manifest, job: Manifest, nodes: int) -> None:
    """The TrainJob's own words over those of the runtime."""
    spec = group["template"]["spec"]
    labels = group["template"].get("metadata", {}).get("labels") or {}
    steps = labels.get(ANCESTOR) == "trainer"
    if group["name"] == NODE and nodes:
        spec["parallelism"] = spec["completions"] = nodes
    spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 0)
    trainer = job["spec"].get("trainer") or {}
    for container in spec["template"]["spec"]["containers"]:
        if steps and container["name"] == NODE:
            container.update({k: trainer[k] for k in ("image", "command", "args") if k in trainer})
            container["env"] = _over(container.get("env") or [], trainer.get("env") or [])


def _over(env: list[Manifest], more: list[Manifest]) -> list[Manifest]:
    return list({entry["name"]: entry for entry in [*env, *more]}.values())


def _torch_env(job: Manifest, policy: Manifest, nodes: int) -> Iterator[Manifest]:
    name = job["metadata"]["name"]
    trainer = job["spec"].get("trainer") or {}
    processes = trainer.get("numProcPerNode") or policy["torch"].get("numProcPerNode") or 1
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    yield {"name": "PET_NNODES", "value": str(nodes or 1)}
    yield {"name": "PET_NPROC_PER_NODE", "value": str(processes)}
    yield {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": index}}}
    yield {"name": "PET_MASTER_ADDR", "value": f"{name}-{NODE}-0-0.{name}"}
    yield {"name": "PET_MASTER_PORT", "value": TORCH_PORT}


def _hostfile(job: Manifest, mpi: Manifest, nodes: int) -> dict[str, str]:
    name = job["metadata"]["name"]
    trainer = job["spec"].get("trainer") or {}
    slots = trainer.get("numProcPerNode") or mpi.get("numProcPerNode") or 1
    hosts = [f"{name}-{NODE}-0-{index}.{name}" for index in range(nodes or 1)]
    if mpi.get("runLauncherAsNode"):
        hosts = [f"{name}-{LAUNCHER}-0-0.{name}", *hosts[: max(nodes - 1, 1)]]
    return {"/etc/mpi/hostfile": "".join(f"{host} slots={slots}\n" for host in hosts)}

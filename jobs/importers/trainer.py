"""Kubeflow Trainer's TrainJob: nodes of one kind, by a runtime that says the framework."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.pods import role_of
from jobs.problems import did_you_mean

__all__ = ["convert"]


def convert(draft: Draft) -> None:
    """Fields of the Job; a framework with a launcher runs the trainer's command on it."""
    spec = draft.spec
    framework = _framework(draft, spec.get("runtimeRef") or {})
    draft.put("suspend", spec.get("suspend"), "spec.suspend")
    draft.put(
        "max_run_time", spec.get("activeDeadlineSeconds") or None, "spec.activeDeadlineSeconds"
    )
    trainer, path = spec.get("trainer") or {}, "spec.trainer"
    if not framework:
        return
    role = role_of(draft, "roles.worker", path, _pod(trainer), image=False)
    role["replicas"] = 1 if trainer.get("numNodes") is None else trainer["numNodes"]
    _rename(draft, path)
    if framework == "pytorch":
        _flat(draft, role, trainer, path)
    else:
        worker = {k: v for k, v in role.items() if k != "run"}
        draft.data["roles"] = {"launcher": _launcher(role), "worker": worker}
        draft.paths["roles.launcher"] = path
    _processes(draft, trainer.get("numProcPerNode"), f"{path}.numProcPerNode")


def _launcher(role: dict[str, Any]) -> dict[str, Any]:
    """The node's pod without what it asks of a machine."""
    launcher = {k: v for k, v in role.items() if k in ("image", "envs", "run")}
    containers = role.get("template", {}).get("spec", {}).get("containers") or []
    inside = [{k: v for k, v in each.items() if k != "resources"} for each in containers]
    if any(set(each) - {"name"} for each in inside):
        launcher["template"] = {"spec": {"containers": inside}}
    return launcher


def _framework(draft: Draft, runtime: dict[str, Any]) -> str:
    name, known = runtime.get("name") or "", draft.format.facts["runtimes"]
    if name in known:
        draft.put("framework", known[name], "spec.runtimeRef.name")
        return str(known[name])
    if not name:
        draft.refuse("spec.runtimeRef.name", "required")
    else:
        message = f"{name} is a runtime of some cluster, and what it runs is not known here"
        hint = did_you_mean(name, known, f"known: {', '.join(known)}")
        draft.refuse("spec.runtimeRef.name", message, hint)
    return ""


def _pod(trainer: dict[str, Any]) -> dict[str, Any]:
    """As if it were a pod of its own."""
    named = {"image": "image", "command": "command", "args": "args", "env": "env",
             "resourcesPerNode": "resources"}  # fmt: skip
    container = {ours: trainer[theirs] for theirs, ours in named.items() if trainer.get(theirs)}
    return {"spec": {"containers": [{"name": "node", **container}]}}


def _rename(draft: Draft, path: str) -> None:
    """The paths of the pod that never was."""
    pod = f"{path}.spec.containers[0]"

    def real(text: str) -> str:
        return text.replace(f"{pod}.resources", f"{path}.resourcesPerNode").replace(pod, path)

    draft.paths = {ours: real(theirs) for ours, theirs in draft.paths.items()}
    draft.paths["roles.worker.replicas"] = f"{path}.numNodes"
    draft.problems = [type(p)(real(p.path), p.message, p.hint) for p in draft.problems]
    draft.warnings = [type(p)(real(p.path), p.message, p.hint) for p in draft.warnings]


def _flat(draft: Draft, role: dict[str, Any], trainer: dict[str, Any], path: str) -> None:
    """One role is the job itself, unless something must be laid over its pods."""
    if role.get("template"):
        draft.data["roles"] = {"worker": role}
        return
    draft.put("nodes", role["replicas"], f"{path}.numNodes")
    for name in ("image", "run", "envs"):
        draft.put(name, role.get(name), draft.paths[f"roles.worker.{name}"])
    for name, value in role.get("resources", {}).items():
        draft.put(f"resources.{name}", value, f"{path}.resourcesPerNode")


def _processes(draft: Draft, value: Any, path: str) -> None:
    """A number; earlier versions had auto, gpu and cpu too."""
    if value is None or value in ("auto", "gpu"):
        return
    if value == "cpu":
        draft.not_honoured(path, "one process a CPU", "write a number")
    elif str(value).isdigit():
        draft.put("processes_per_node", int(value), path)
    else:
        draft.refuse(path, f"{value} is not a number")

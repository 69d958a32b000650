"""KubeRay's RayJob: a head that runs the entry point, and groups of workers."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.pods import role_of
from jobs.importers.shell import placeholder

__all__ = ["convert"]

HEAD = "head"


def convert(draft: Draft) -> None:
    """Fields of the Job."""
    spec = draft.spec
    draft.put("framework", draft.format.facts["framework"], "spec")
    for theirs, ours in (
        ("activeDeadlineSeconds", "max_run_time"),
        ("backoffLimit", "policy.backoff_limit"),
        ("preRunningDeadlineSeconds", "policy.startup_timeout"),
        ("ttlSecondsAfterFinished", "policy.ttl"),
        ("suspend", "suspend"),
    ):
        draft.put(ours, spec.get(theirs), f"spec.{theirs}")
    cluster, path = spec.get("rayClusterSpec") or {}, "spec.rayClusterSpec"
    if not cluster:
        draft.refuse(path, "required: it says which pods there are")
        return
    if cluster.get("enableInTreeAutoscaling"):
        message = "a Ray job has the number of pods that it starts with"
        draft.not_honoured(f"{path}.enableInTreeAutoscaling", message)
    _head(draft, cluster.get("headGroupSpec") or {}, f"{path}.headGroupSpec")
    for index, group in enumerate(cluster.get("workerGroupSpecs") or []):
        _group(draft, group, f"{path}.workerGroupSpecs[{index}]")


def _head(draft: Draft, group: dict[str, Any], path: str) -> None:
    role = _role(draft, HEAD, group, path)
    entrypoint = draft.spec.get("entrypoint") or ""
    draft.paths[f"roles.{HEAD}.run"] = "spec.entrypoint"
    if not entrypoint:
        draft.refuse("spec.entrypoint", "required: it says what runs")
    for word in entrypoint.split():
        if placeholder(word):
            draft.refuse("spec.entrypoint", f"{word} is a placeholder", "put the real value there")
    role["run"] = entrypoint


def _group(draft: Draft, group: dict[str, Any], path: str) -> None:
    name = group.get("groupName") or ""
    if name == HEAD or name in draft.data.get("roles", {}):
        draft.refuse(f"{path}.groupName", f"{name} is there twice", "the head is one, too")
        return
    replicas = group.get("replicas")
    replicas = group.get("minReplicas") or 1 if replicas is None else replicas
    if group.get("suspend") or replicas == 0:
        draft.warn(path, "left out: it has no pods")
        return
    role = _role(draft, name, group, path)
    hosts = group.get("numOfHosts") or 1
    role["replicas"] = replicas * hosts
    draft.paths[f"roles.{name}"] = f"{path}.groupName"
    draft.paths[f"roles.{name}.replicas"] = f"{path}.replicas"
    for bound in ("minReplicas", "maxReplicas"):
        if group.get(bound) not in (None, replicas):
            draft.warn(f"{path}.{bound}", f"not used: {replicas} workers from start to end")


def _role(draft: Draft, name: str, group: dict[str, Any], path: str) -> dict[str, Any]:
    """Ray itself is started by the framework, not by the pod."""
    names = draft.format.facts["main_containers"]
    where = f"{path}.template"
    role = role_of(draft, f"roles.{name}", where, group.get("template"), names, command=False)
    if role.pop("run", None) is not None:
        draft.not_honoured(f"{where}.spec", "a command of the pod: Colony starts Ray itself")
    for option in group.get("rayStartParams") or {}:
        if option not in draft.format.facts["start_params"]:
            message = f"an option of `ray start` that is not set: {option}"
            draft.not_honoured(f"{path}.rayStartParams.{option}", message)
    draft.data.setdefault("roles", {})[name] = role
    return role

"""JobSet: each replicated Job is a role, with the host names it has under JobSet."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.pods import role_of
from jobs.importers.run_policy import restart, word
from jobs.names import duplicates

__all__ = ["convert"]

_STATUS = {"Ready": "Running", "Complete": "Succeeded"}


def convert(draft: Draft) -> None:
    """Fields of the Job."""
    spec = draft.spec
    draft.put("framework", draft.format.facts["framework"], "spec")
    policy = spec.get("failurePolicy") or {}
    draft.put(
        "policy.backoff_limit", policy.get("maxRestarts") or 0, "spec.failurePolicy.maxRestarts"
    )
    strategy = policy.get("restartStrategy")
    if strategy not in (None, "Recreate", "BlockingRecreate"):
        message = f"{strategy}: all pods are made anew"
        draft.not_honoured("spec.failurePolicy.restartStrategy", message)
    draft.put("policy.ttl", spec.get("ttlSecondsAfterFinished"), "spec.ttlSecondsAfterFinished")
    draft.put("suspend", spec.get("suspend"), "spec.suspend")
    jobs = spec.get("replicatedJobs") or []
    if not jobs:
        draft.refuse("spec.replicatedJobs", "required: it says what runs")
    for index, name in duplicates(str(job.get("name")) for job in jobs):
        draft.refuse(f"spec.replicatedJobs[{index}].name", f"{name} is there twice")
    ordered = (spec.get("startupPolicy") or {}).get("startupPolicyOrder") == "InOrder"
    for index, job in enumerate(jobs):
        role = _role(draft, job, f"spec.replicatedJobs[{index}]")
        if ordered and index:
            role.setdefault("depends_on", [{"role": jobs[index - 1].get("name")}])
    _success(draft, spec.get("successPolicy") or {}, [str(job.get("name")) for job in jobs])


def _role(draft: Draft, job: dict[str, Any], path: str) -> dict[str, Any]:
    name, ours = str(job.get("name") or ""), f"roles.{job.get('name') or ''}"
    batch, where = (job.get("template") or {}).get("spec") or {}, f"{path}.template.spec"
    draft.paths[ours] = f"{path}.name"
    template = batch.get("template") or {}
    role = role_of(draft, ours, f"{where}.template", template)
    policy = (template.get("spec") or {}).get("restartPolicy")
    role["replicas"] = _pods(draft, job, batch, path)
    draft.paths[f"{ours}.replicas"] = f"{path}.replicas"
    restart(draft, role, policy or "Never", f"{where}.template.spec.restartPolicy")
    _depends(draft, role, job, path, ours)
    _deadline(draft, batch, where)
    draft.data.setdefault("roles", {})[name] = role
    return role


def _pods(draft: Draft, job: dict[str, Any], batch: dict[str, Any], path: str) -> int:
    """Jobs x pods of each; all of them run at once, as a role's pods do."""
    jobs, where = _or_one(job.get("replicas")), f"{path}.template.spec"
    pods = batch.get("parallelism")
    completions = batch.get("completions")
    each = _or_one(completions if pods is None else pods)
    if pods is not None and completions is not None and completions != pods:
        message = f"is {completions}, and parallelism {pods}: all pods run at once"
        draft.not_honoured(f"{where}.completions", message, "make them the same")
    if batch.get("completionMode") == "NonIndexed" and each > 1:
        draft.warn(f"{where}.completionMode", "not used: pods always have an index")
    if jobs > 1 and each > 1:
        message = f"{jobs} Jobs of {each} pods are one role of {jobs * each}, with one count"
        draft.not_honoured(f"{path}.replicas", message, "use one Job with more pods")
    return jobs * each


def _or_one(value: Any) -> int:
    return 1 if value is None else int(value)


def _depends(draft: Draft, role: dict[str, Any], job: dict[str, Any], path: str, ours: str) -> None:
    found = []
    for index, each in enumerate(job.get("dependsOn") or []):
        where = f"{path}.dependsOn[{index}]"
        status = word(draft, each.get("status") or "Ready", f"{where}.status", _STATUS)
        found.append({"role": each.get("name") or "", "phase": _STATUS.get(status, "Running")})
        draft.paths[f"{ours}.depends_on[{index}]"] = f"{where}.name"
    if found:
        role["depends_on"] = found


def _deadline(draft: Draft, batch: dict[str, Any], where: str) -> None:
    """One bound for the job: the longest."""
    seconds = batch.get("activeDeadlineSeconds")
    if seconds is None:
        return
    before = draft.data.get("max_run_time", 0)
    if before and before != seconds:
        longest = max(before, seconds)
        draft.warn(f"{where}.activeDeadlineSeconds", f"one bound for all roles: {longest} s")
    draft.put("max_run_time", max(before, seconds), f"{where}.activeDeadlineSeconds")


def _success(draft: Draft, policy: dict[str, Any], names: list[str]) -> None:
    """All of the targets, or any; no targets are all."""
    if not policy:
        return
    path = "spec.successPolicy"
    operator = word(draft, policy.get("operator") or "All", f"{path}.operator", ["All", "Any"])
    targets = policy.get("targetReplicatedJobs") or names
    clauses = [targets] if operator == "All" else [[name] for name in targets]
    draft.put("policy.success", clauses, f"{path}.targetReplicatedJobs")

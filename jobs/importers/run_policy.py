"""Kubeflow's RunPolicy, as PyTorchJob, TFJob, MPIJob and AresJob have it, becomes our fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.formats import shared
from jobs.policy import CleanUp, Restart

__all__ = ["clean_up", "restart", "run_policy", "word"]

_SECONDS = {
    "ttlSecondsAfterFinished": "policy.ttl",
    "activeDeadlineSeconds": "max_run_time",
    "backoffLimit": "policy.backoff_limit",
}


def run_policy(draft: Draft, path: str = "spec.runPolicy") -> None:
    """`spec.runPolicy`, with the format's own default for the clean-up."""
    policy = draft.spec.get("runPolicy") or {}
    for theirs, ours in _SECONDS.items():
        draft.put(ours, policy.get(theirs), f"{path}.{theirs}")
    clean_up(draft, policy.get("cleanPodPolicy"), f"{path}.cleanPodPolicy")
    draft.put("suspend", policy.get("suspend"), f"{path}.suspend")
    _scheduling(draft, policy.get("schedulingPolicy") or {}, f"{path}.schedulingPolicy")


def clean_up(draft: Draft, value: Any, path: str) -> None:
    """None, Running or All; what the format does where the document says nothing."""
    chosen = value or draft.format.facts.get("clean_up")
    draft.put("policy.clean_up", word(draft, chosen, path, [e.value for e in CleanUp]), path)


def restart(draft: Draft, role: dict[str, Any], value: Any, path: str, default: str = "") -> None:
    """A role's restart policy: the format's own default where the document says nothing."""
    chosen = value or default or draft.format.facts.get("restart")
    known = word(draft, chosen, path, [each.value for each in Restart])
    if known == Restart.ALWAYS.value:
        draft.warn(path, "Always is read as OnFailure: a pod that succeeded does not start again")
        known = Restart.ON_FAILURE.value
    if known is None:
        return
    role["restart"] = known
    bounded = "backoff_limit" in draft.data.get("policy", {})
    if known != Restart.NEVER.value and not bounded:
        limit = shared()["backoff_limit"]
        draft.data.setdefault("policy", {})["backoff_limit"] = limit
        message = f"without a limit in this format; here at most {limit} restarts"
        draft.warn(path, f"{known}: {message}", "say another number as backoffLimit")


def word(draft: Draft, value: Any, path: str, known: Iterable[str]) -> Any:
    """A value that must be one of some words; None and a problem where it is not."""
    names = list(known)
    if value is None or value in names:
        return value
    draft.refuse(path, f"must be one of {', '.join(names)}, not {value}")
    return None


def _scheduling(draft: Draft, policy: dict[str, Any], path: str) -> None:
    draft.put("policy.gang", policy.get("minAvailable"), f"{path}.minAvailable")
    draft.put("queue", policy.get("queue") or None, f"{path}.queue")
    draft.put("priority", policy.get("priorityClass") or None, f"{path}.priorityClass")
    timeout = policy.get("scheduleTimeoutSeconds")
    draft.put("policy.startup_timeout", timeout, f"{path}.scheduleTimeoutSeconds")

"""Kubernetes objects as what is seen. Total: whatever an object lacks is taken as not there."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from colony.agent.model import Launcher, Pod, Spec, Workload

__all__ = [
    "CONTAINER",
    "NUDGE",
    "ROLE",
    "is_leaving",
    "is_owned",
    "launcher",
    "workers",
    "workload",
]

CONTAINER = "trainer"
ROLE = "colony.dev/role"
NUDGE = "colony.dev/elastic-seen"
"""Annotation of the launcher's pod: changed so that its node renews the mounted ConfigMap."""

Object = Mapping[str, Any]


def workers(spec: Spec, pods: Iterable[Object], owner: str) -> dict[str, Pod]:
    """The pods of the elastic role that belong to this very job: `owner` is the uid of its
    ConfigMap. An earlier job of the same name may still be on its way out."""
    found = {}
    for pod in pods:
        name = str(_metadata(pod).get("name", ""))
        number = name.rpartition("-")[2]
        named = number.isdigit() and name == spec.name(int(number))
        if named and _role(pod) == spec.role and is_owned(pod, owner):
            found[name] = _pod(pod)
    return found


def is_owned(found: Object, owner: str) -> bool:
    """Whether the object with this uid is an owner."""
    owners = _metadata(found).get("ownerReferences") or []
    return any(each.get("uid") == owner for each in owners)


def launcher(spec: Spec, pods: Iterable[Object]) -> Launcher | None:
    """The first pod of its role that has not ended."""
    there = [pod for pod in pods if spec.launcher and _role(pod) == spec.launcher]
    alive = [
        pod for pod in there if not _ended(pod) and not _metadata(pod).get("deletionTimestamp")
    ]
    if not alive:
        return None
    pod = min(alive, key=lambda each: str(_metadata(each).get("name", "")))
    ready = _condition(pod, "Ready")
    return Launcher(
        name=_metadata(pod)["name"],
        running=_status(pod).get("phase") == "Running",
        ready_since=str(ready.get("lastTransitionTime", "")) if _is(ready, "True") else "",
        nudge=str((_metadata(pod).get("annotations") or {}).get(NUDGE, "")),
    )


def workload(found: Object | None) -> Workload:
    """A JobSet or a Job; the conditions that end one are theirs alone."""
    if found is None:
        return Workload(exists=False)
    ends = ("Completed", "Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")
    return Workload(
        suspended=bool((found.get("spec") or {}).get("suspend")),
        finished=_is_going(found) or any(_is(_condition(found, end), "True") for end in ends),
    )


def is_leaving(node: Object | None) -> bool:
    """Whether a node is cordoned, drained, taken back or gone."""
    if node is None:
        return True
    spec = node.get("spec") or {}
    keys = [str(taint.get("key", "")) for taint in spec.get("taints") or []]
    return bool(spec.get("unschedulable")) or any(key.startswith(_leaving()) for key in keys)


@cache
def _leaving() -> tuple[str, ...]:
    data = pkgutil.get_data("colony.agent", "taints.json")
    return tuple(json.loads(data or b"")["leaving"])


def _pod(pod: Object) -> Pod:
    status, ready = _status(pod), _condition(pod, "Ready")
    return Pod(
        name=_metadata(pod)["name"],
        phase=str(status.get("phase", "Pending")),
        ready=not ready or _is(ready, "True"),
        terminating=_is_going(pod),
        exit_code=_exit_code(pod),
        node=str((pod.get("spec") or {}).get("nodeName", "")),
        disrupted=_is(_condition(pod, "DisruptionTarget"), "True"),
        started=_unix(status.get("startTime") or _metadata(pod).get("creationTimestamp")),
        why=_why(pod),
    )


def _exit_code(pod: Object) -> int | None:
    if _is(_condition(pod, "DisruptionTarget"), "True"):
        return None  # the kubelet's signal ended it, not its program
    for container in _status(pod).get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if container.get("name") == CONTAINER and ended:
            return int(ended.get("exitCode", 0))
    return None


def _why(pod: Object) -> str:
    """Why it does not run: what keeps it from a node, or its container from starting."""
    placed = _condition(pod, "PodScheduled")
    if _is(placed, "False"):
        return f"{placed.get('reason', '')}: {placed.get('message', '')}".strip(": ")
    for container in _status(pod).get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason', '')}: {waiting.get('message', '')}".strip(": ")
    return ""


def _ended(pod: Object) -> bool:
    return _status(pod).get("phase") in ("Succeeded", "Failed")


def _is_going(found: Object) -> bool:
    return bool(_metadata(found).get("deletionTimestamp"))


def _condition(found: Object, kind: str) -> Object:
    for condition in _status(found).get("conditions") or []:
        if condition.get("type") == kind:
            return dict(condition)
    return {}


def _is(condition: Object, status: str) -> bool:
    return condition.get("status") == status


def _role(pod: Object) -> str:
    return str((_metadata(pod).get("labels") or {}).get(ROLE, ""))


def _metadata(found: Object) -> Object:
    return dict(found.get("metadata") or {})


def _status(found: Object) -> Object:
    return dict(found.get("status") or {})


def _unix(text: Any) -> float:
    if not isinstance(text, str):
        return 0.0
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

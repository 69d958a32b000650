"""When an object of a real API server is ready, as pulumi-kubernetes sees it. Pure.

`missing(obj)` says what an object still waits for ("" = ready) and raises Refusal where no wait
helps. Which kinds, and for how long, is data: `readiness.yaml`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from colony.rehearsal.calls import Refusal
from colony.rehearsal.objects import group_of
from colony.rehearsal.templates import lookup
from jobs.data import parse

__all__ = ["annotation", "awaited", "deadline", "deletion_awaited", "holders", "missing"]

SKIP = "skipAwait"
WAIT_FOR = "waitFor"
SECONDS = "timeoutSeconds"

Object = Mapping[str, Any]


def annotation(obj: Object, name: str) -> str:
    """The value of `pulumi.com/NAME`; "" without it."""
    found = (obj.get("metadata") or {}).get("annotations") or {}
    return str(found.get(f"pulumi.com/{name}", ""))


def awaited(obj: Object) -> bool:
    if annotation(obj, SKIP) == "true":
        return False
    return bool(annotation(obj, WAIT_FOR)) or _kind(obj) in _data()["awaited"]


def deletion_awaited(obj: Object) -> bool:
    return annotation(obj, SKIP) != "true" or _kind(obj) not in _data()["unawaited_deletion"]


def deadline(obj: Object, given: float, what: str = "deadline") -> float:
    """Seconds: the resource's custom timeout, its annotation, or the usual."""
    return given or float(annotation(obj, SECONDS) or _data()[what])


def missing(obj: Object) -> str:
    """What it still waits for; "" when it is ready. Raises Refusal when it has failed."""
    if wanted := annotation(obj, WAIT_FOR):
        return "; ".join(text for each in _conditions(wanted) if (text := _unmet(obj, each)))
    return _RULES.get(_kind(obj), _nothing)(obj)


def holders(obj: Object) -> str:
    """What keeps an object that is being deleted."""
    metadata = obj.get("metadata") or {}
    names = [
        *(metadata.get("finalizers") or []),
        *((obj.get("spec") or {}).get("finalizers") or []),
    ]
    said = [
        str(each.get("message"))
        for each in (obj.get("status") or {}).get("conditions") or []
        if str(each.get("type", "")).endswith("Remaining") and each.get("status") == "True"
    ]
    held = f"held by finalizer {', '.join(names)}" if names else "it does not say why"
    return ": ".join([held, "; ".join(said)]) if said else held


def _namespace(obj: Object) -> str:
    phase = lookup(obj, "status.phase")
    return "" if phase == "Active" else f"phase is {phase}"


def _definition(obj: Object) -> str:
    if (names := _condition(obj, "NamesAccepted")).get("status") == "False":
        raise Refusal("Conflict", f"its names are taken: {names.get('message')}")
    return "" if _true(obj, "Established") else "it is not established"


def _deployment(obj: Object) -> str:
    if (progress := _condition(obj, "Progressing")).get("reason") == "ProgressDeadlineExceeded":
        raise Refusal("Failed", f"it makes no progress: {progress.get('message')}")
    wanted, status = _replicas(obj), _status(obj)
    if _stale(obj) or status.get("updatedReplicas", 0) < wanted:
        return f"{status.get('updatedReplicas', 0)} of {wanted} pods are of the new revision"
    if not _true(obj, "Available"):
        return f"{status.get('availableReplicas', 0)} of {wanted} pods are available"
    return ""


def _stateful_set(obj: Object) -> str:
    wanted, status = _replicas(obj), _status(obj)
    if _stale(obj) or status.get("updatedReplicas", status.get("readyReplicas", 0)) < wanted:
        return f"{status.get('updatedReplicas', 0)} of {wanted} pods are of the new revision"
    ready = status.get("readyReplicas", 0)
    return "" if ready >= wanted else f"{ready} of {wanted} pods are ready"


def _daemon_set(obj: Object) -> str:
    status = _status(obj)
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    if _stale(obj) or status.get("updatedNumberScheduled", 0) < wanted or ready < wanted:
        return f"{ready} of {wanted} pods are ready"
    return ""


def _job(obj: Object) -> str:
    if (failed := _condition(obj, "Failed")).get("status") == "True":
        raise Refusal("Failed", f"the Job failed: {failed.get('message')}")
    return "" if _true(obj, "Complete") else "it is not complete"


def _pod(obj: Object) -> str:
    phase = _status(obj).get("phase")
    if phase == "Failed":
        raise Refusal("Failed", f"the pod failed: {_status(obj).get('message') or 'no reason'}")
    return "" if phase == "Succeeded" or _true(obj, "Ready") else f"phase is {phase}"


def _nothing(obj: Object) -> str:
    return ""


_RULES = {
    "Namespace": _namespace,
    "CustomResourceDefinition.apiextensions.k8s.io": _definition,
    "Deployment.apps": _deployment,
    "StatefulSet.apps": _stateful_set,
    "DaemonSet.apps": _daemon_set,
    "Job.batch": _job,
    "Pod": _pod,
}


def _conditions(text: str) -> list[str]:
    """`pulumi.com/waitFor`: one expression, or a JSON list of them."""
    return list(json.loads(text)) if text.lstrip().startswith("[") else [text]


def _unmet(obj: Object, expression: str) -> str:
    """`condition=Type[=Status]` and `jsonpath={.path}[=value]`, without filters."""
    how, _, rest = expression.partition("=")
    what, _, value = rest.partition("=")
    if how == "condition":
        met = str(_condition(obj, what).get("status")) == (value or "True")
    elif how == "jsonpath" and what.startswith("{.") and not {"[", "*", "?"} & set(what):
        found = lookup(obj, what.strip("{}").lstrip("."))
        met = found is not None if not value else str(found) == value
    else:
        raise Refusal("NotSimulated", f"pulumi.com/waitFor: {expression} is not simulated")
    return "" if met else f"{expression} is not met"


def _kind(obj: Object) -> str:
    return f"{obj.get('kind')}.{group_of(obj)}".rstrip(".")


def _status(obj: Object) -> Mapping[str, Any]:
    return obj.get("status") or {}


def _replicas(obj: Object) -> int:
    return int((obj.get("spec") or {}).get("replicas", 1))


def _stale(obj: Object) -> bool:
    """Its controller has not seen the last change yet."""
    return bool(_status(obj).get("observedGeneration", 0) < obj["metadata"].get("generation", 0))


def _condition(obj: Object, kind: str) -> Mapping[str, Any]:
    found = (each for each in _status(obj).get("conditions") or [] if each.get("type") == kind)
    return next(found, {})


def _true(obj: Object, kind: str) -> bool:
    return _condition(obj, kind).get("status") == "True"


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = parse(Path(__file__).with_suffix(".yaml").read_text())
    return data

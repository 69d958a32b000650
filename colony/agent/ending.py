"""How a job has ended, by its own object alone. Pure.

What a controller starts again has not ended: only its last word counts (`endings.json`).
https://jobset.sigs.k8s.io/docs/concepts/ · https://kubernetes.io/docs/concepts/workloads/controllers/job/
https://volcano.sh/en/docs/vcjob/ · https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayjob-quick-start.html
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["CANCELLED", "CANCELLED_BY", "FAILED", "LOST", "SUCCEEDED", "Ending", "ending"]

SUCCEEDED, FAILED, LOST, CANCELLED = "succeeded", "failed", "lost", "cancelled"
CANCELLED_BY = "colony.dev/cancelled-by"
"""Annotation of a job's object that is ended by hand: by what."""

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Ending:
    """The outcome, and why in the controller's words."""

    outcome: str
    reason: str = ""


def ending(kind: str, found: Object) -> Ending | None:
    """`kind` is `group/resource`; None while it runs, waits, or begins again. Raises KeyError for a
    kind that is not known."""
    return _said(kind, found) or _by_hand(found)


def _by_hand(found: Object) -> Ending | None:
    """What has ended before cannot be cancelled any more."""
    annotations = (found.get("metadata") or {}).get("annotations") or {}
    by = annotations.get(CANCELLED_BY)
    return Ending(CANCELLED, str(by)) if by else None


def _said(kind: str, found: Object) -> Ending | None:
    rule, status = _rules()[kind], found.get("status") or {}
    if "conditions" in rule:
        return _by_conditions(rule["conditions"], status)
    word = _at(status, rule["field"])
    if word not in rule["values"]:
        return None
    unless = rule.get("unless")
    other = _at(status, unless["field"]) if unless else ""
    if unless and other in unless["values"]:
        return Ending(unless["outcome"], other)
    return Ending(rule["values"][word], word)


def _by_conditions(outcomes: Mapping[str, str], status: Object) -> Ending | None:
    """Failed beats succeeded: it comes first in the data."""
    true = {
        str(each.get("type")): each
        for each in status.get("conditions") or []
        if each.get("status") == "True"
    }
    for name, outcome in outcomes.items():
        if name in true:
            return Ending(outcome, str(true[name].get("reason") or name))
    return None


def _at(status: Object, path: list[str]) -> str:
    value: Any = status
    for step in path:
        value = (value or {}).get(step)
    return str(value or "")


@cache
def _rules() -> dict[str, Any]:
    return dict(json.loads(pkgutil.get_data("colony.agent", "endings.json") or b""))

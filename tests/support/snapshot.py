"""Everything that an API server lists, to be compared object by object with what it lists later."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from testbed.cluster import Cluster

__all__ = ["differences", "settled", "taken"]

Snapshot = dict[str, Any]
WRITTEN = ("resourceVersion", "managedFields")
"""What says only that, and by whom, an object was written."""
SETTLE = 60.0


def taken(cluster: Cluster) -> Snapshot:
    """`kind namespace/name` -> the whole object, but for what the cluster itself keeps writing."""
    return {
        key: _still(key.partition(" ")[0], one)
        for key, one in cluster.everything().items()
        if not _passing(key)
    }


def settled(cluster: Cluster, before: Snapshot) -> list[str]:
    """What is left, gone or changed, once the cluster's own collectors have had their time."""
    found: list[list[str]] = [[]]

    def same() -> bool:
        found[0] = differences(before, taken(cluster))
        return not found[0]

    try:
        cluster.wait(same, SETTLE)
    except AssertionError:
        return found[0]
    return []


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    gone = [f"gone: {key}" for key in sorted(before.keys() - after.keys())]
    new = [f"left: {key}" for key in sorted(after.keys() - before.keys())]
    changed = [
        f"changed: {key}: {before[key]} -> {after[key]}"
        for key in sorted(before.keys() & after.keys())
        if before[key] != after[key]
    ]
    return gone + new + changed


def _passing(key: str) -> bool:
    """Namespaces of other tests go in their own time, with all that is in them."""
    return "/test-" in key or " test-" in key


def _still(kind: str, one: dict[str, Any]) -> Any:
    strip = _MOVING.get(kind)
    return strip(copy.deepcopy(one)) if strip else one


def _node(one: dict[str, Any]) -> Any:
    """A kubelet says every few seconds that it lives: the time of it is in the conditions."""
    for condition in one["status"].get("conditions") or []:
        condition.pop("lastHeartbeatTime", None)
    return _unwritten(one)


def _lease(one: dict[str, Any]) -> Any:
    """Held by whoever is alive, and renewed every few seconds: that is all there is in it."""
    return _unwritten({**one, "spec": {}})


def _unwritten(one: dict[str, Any]) -> Any:
    for key in WRITTEN:
        one["metadata"].pop(key, None)
    return one


_MOVING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "v1/Node": _node,
    "coordination.k8s.io/v1/Lease": _lease,
}

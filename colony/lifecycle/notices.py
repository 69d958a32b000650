"""Machines that Azure says it is about to take: a job's pods on them are told to end.

On AKS the node problem detector writes Azure's notice, half a minute before the end, as a condition
of the node, which does not say what comes, and an event of the node, which does
(https://learn.microsoft.com/azure/aks/node-problem-detector). AKS drains such a node as well as it
can (https://learn.microsoft.com/azure/aks/node-auto-drain); on EKS and GKE somebody always does.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from colony.lifecycle.following import Following
from jobs.errors import ColonyError

__all__ = ["heed"]

CONDITION = "VMEventScheduled"
LOST = ("PreemptScheduled", "RedeployScheduled", "TerminateScheduled")
"""After these the machine is gone; a freeze or a reboot does not end a job for certain."""
NAMESPACE = "default"
"""Where events of what has no namespace are."""

Object = dict[str, Any]


def heed(item: Following, objects: Iterable[Object]) -> list[str]:
    """Evicts the job's pods on nodes that are about to go, so that each gets its SIGTERM and the
    rest of the notice; returns their names. `objects` are the job's, with the nodes of its pods."""
    known = list(objects)
    warned = [each for each in known if each.get("kind") == "Node" and _scheduled(each)]
    if not warned:
        return []
    told: list[str] = []
    try:
        events = item.access.objects("Event", NAMESPACE)
    except ColonyError:  # nothing is known: the next look tries again
        return told
    going = {_name(node) for node in warned if any(_takes(each, node) for each in events)}
    for pod in known:
        if pod.get("kind") == "Pod" and _runs(pod) and pod["spec"].get("nodeName") in going:
            with suppress(ColonyError):  # a disruption budget may forbid one, and not the others
                item.access.evict(pod["metadata"]["namespace"], _name(pod))
                told.append(_name(pod))
    return told


def _scheduled(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(each["type"] == CONDITION and each["status"] == "True" for each in conditions)


def _takes(event: Object, node: Object) -> bool:
    """Of this node, and not of an earlier one of its name."""
    about = event.get("involvedObject") or {}
    if event.get("reason") not in LOST or about.get("kind") != "Node":
        return False
    at = str(event.get("lastTimestamp") or event.get("eventTime") or "")
    born = str(node["metadata"].get("creationTimestamp") or "")
    return about.get("name") == _name(node) and at[:19] >= born[:19]


def _runs(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Pending", "Running") and not pod["metadata"].get("deletionTimestamp")


def _name(thing: Object) -> str:
    return str(thing["metadata"]["name"])

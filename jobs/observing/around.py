"""What stands around a workload: Kueue's Workload, Volcano's PodGroup, nodes and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.observing.reading import condition, items, metadata, owner, table, text, when

__all__ = [
    "Down",
    "Group",
    "Queued",
    "Told",
    "read_event",
    "read_group",
    "read_node",
    "read_queued",
]

TAKEN = ("Evict", "Evicted", "Preempt", "Preempted", "Preempting", "TaintManagerEviction")
UNHEALTHY = "colony.dev/unhealthy"
"""Key of the taint that the agent gives (colony/agent/health.py)."""
UNPLACED = ("FailedScheduling", "Unschedulable", "FailedCreate")


@dataclass(frozen=True)
class Queued:
    """Kueue's Workload of a job."""

    owner: str
    evicted: str = ""
    """Why it was sent back into the queue; empty while it was not."""
    over: bool = False
    """It will not be admitted again."""
    timed_out: bool = False
    waits_for: str = ""


@dataclass(frozen=True)
class Group:
    """Volcano's PodGroup of a job."""

    owner: str
    placed: bool
    scheduled: float | None
    waits_for: str


@dataclass(frozen=True)
class Down:
    """A node that stopped answering, or whose hardware is at fault. `since` sorts by time: when it
    was last heard of."""

    name: str
    since: str
    text: str
    answers: bool = False
    """It is broken, and what it says of its pods is known all the same."""


@dataclass(frozen=True)
class Told:
    """An event that explains something."""

    kind: str
    name: str
    taken: bool
    """Its pods were taken away; else, could not be placed."""
    text: str
    at: str


def read_queued(thing: Any) -> Queued:
    evicted = condition(thing, "Evicted") or condition(thing, "Preempted")
    why = text(evicted, "reason")
    waits = condition(thing, "QuotaReserved", "False")
    return Queued(
        owner=text(owner(thing), "name"),
        evicted=_words(evicted) if evicted else "",
        over=bool(evicted) and table(thing, "spec").get("active") is False,
        timed_out="MaximumExecutionTimeExceeded" in why,
        waits_for=text(waits, "message"),
    )


def read_group(thing: Any) -> Group:
    scheduled = condition(thing, "Scheduled")
    waits = condition(thing, "Unschedulable")
    phase = text(table(thing, "status"), "phase")
    return Group(
        owner=text(owner(thing), "name"),
        placed=phase in ("Running", "Completed"),
        scheduled=when((scheduled or {}).get("lastTransitionTime")),
        waits_for="" if scheduled and phase == "Running" else text(waits, "message"),
    )


def read_node(thing: Any) -> Down | None:
    """None while the node is well: its Ready condition is Unknown when the kubelet is silent, and
    the agent's taint says that its hardware is at fault."""
    name = text(metadata(thing), "name")
    found = condition(thing, "Ready", "Unknown")
    if found:
        since = text(found, "lastHeartbeatTime") or text(found, "lastTransitionTime")
        return Down(name, since, _words(found))
    for taint in items(thing, "spec", "taints"):
        if text(taint, "key") == UNHEALTHY:
            since = text(condition(thing, "Ready"), "lastHeartbeatTime")
            return Down(name, since, f"hardware fault {text(taint, 'value')}", answers=True)
    return None


def read_event(thing: Any) -> Told | None:
    """None for an event that explains nothing."""
    why = text(thing, "reason")
    if why not in TAKEN and why not in UNPLACED:
        return None
    about = table(thing, "involvedObject") or table(thing, "regarding")
    words = text(thing, "message") or text(thing, "note")
    at = text(thing, "lastTimestamp") or text(thing, "eventTime")
    return Told(text(about, "kind"), text(about, "name"), why in TAKEN, words or why, at)


def _words(found: Any) -> str:
    return ": ".join(filter(None, (text(found, "reason"), text(found, "message"))))

"""The phase of a colony, from what is known of each of its clusters. Pure.

Unknown is not ready: a cluster that nobody has seen counts as intended, and as nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["ColonyPhase", "Condition", "Seen", "Status", "derive"]

READY, UNHEALTHY = "ClustersReady", "Unhealthy"


class ColonyPhase(str, Enum):
    """Of the colony as a whole."""

    PROVISIONING = "Provisioning"
    READY = "Ready"
    DEGRADED = "Degraded"
    DELETING = "Deleting"


@dataclass(frozen=True)
class Seen:
    """What is known of one cluster; `ready` None = nothing."""

    ready: bool | None = None
    failed: bool = False
    """Something of it was refused, and nobody is trying again."""
    reason: str = ""
    """One word: `QuotaExceeded`."""
    message: str = ""


@dataclass(frozen=True)
class Condition:
    """In the form of Kubernetes."""

    type: str
    status: str
    reason: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return vars(self).copy()


@dataclass(frozen=True)
class Status:
    """`ready` of `total`: those that are intended, whether or not they were ever begun."""

    phase: ColonyPhase
    ready: int
    total: int
    clusters: Mapping[str, Seen]
    conditions: Sequence[Condition] = field(default_factory=list)
    usd_per_hour: float = 0.0
    """Of what is there, at the recorded prices."""

    @property
    def summary(self) -> str:
        """`ready 1 of 2: gke (QuotaExceeded)`."""
        text = f"ready {self.ready} of {self.total}"
        late = [_named(name, seen) for name, seen in self.clusters.items() if not seen.ready]
        return f"{text}: {', '.join(late)}" if late else text

    def to_dict(self) -> dict[str, Any]:
        return {
            "phase": self.phase.value,
            "ready": self.ready,
            "total": self.total,
            "summary": self.summary,
            "conditions": [condition.to_dict() for condition in self.conditions],
            "clusters": {
                name: {"ready": bool(seen.ready), "reason": seen.reason, "message": seen.message}
                for name, seen in self.clusters.items()
            },
        }


def derive(
    intended: Iterable[str],
    seen: Mapping[str, Seen],
    *,
    deleting: bool = False,
    busy: bool = False,
    was_ready: bool = False,
) -> Status:
    """`busy`: an operation is under way; `was_ready`: the colony has been ready before.

    Clusters that are not intended any more do not count. A failure degrades only when nobody is
    at work on it; a cluster that was ready and is not degrades at once.
    """
    clusters = {name: seen.get(name, Seen(reason="NotObserved")) for name in intended}
    ready = [name for name, each in clusters.items() if each.ready]
    failed = [name for name, each in clusters.items() if each.failed and not each.ready]
    whole = bool(clusters) and len(ready) == len(clusters)
    phase = _phase(whole, bool(failed), deleting, busy, was_ready)
    status = Status(phase, len(ready), len(clusters), clusters)
    conditions = [_readiness(status, whole, failed), _health(status, failed)]
    return Status(phase, len(ready), len(clusters), clusters, conditions)


def _phase(whole: bool, failed: bool, deleting: bool, busy: bool, was_ready: bool) -> ColonyPhase:
    if deleting:
        return ColonyPhase.DELETING
    if whole:
        return ColonyPhase.READY
    if was_ready or (failed and not busy):
        return ColonyPhase.DEGRADED
    return ColonyPhase.PROVISIONING


def _readiness(status: Status, whole: bool, failed: list[str]) -> Condition:
    if whole:
        return Condition(READY, "True", "AllClustersReady", status.summary)
    unknown = [each for each in status.clusters.values() if each.ready is None and not each.failed]
    if not status.clusters or len(unknown) == len(status.clusters):
        return Condition(READY, "Unknown", "NothingObserved", status.summary)
    reason = "ClusterFailed" if failed else "NotAllClustersReady"
    return Condition(READY, "False", reason, status.summary)


def _health(status: Status, failed: list[str]) -> Condition:
    if not failed:
        return Condition(UNHEALTHY, "False", "NoFailure", "")
    told = "; ".join(f"{name}: {status.clusters[name].message}" for name in failed)
    return Condition(UNHEALTHY, "True", status.clusters[failed[0]].reason or "Failed", told)


def _named(name: str, seen: Seen) -> str:
    return f"{name} ({seen.reason})" if seen.reason else name

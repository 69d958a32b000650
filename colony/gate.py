"""Before anything is asked of a cluster that is there already: is there room for the jobs?

Reads nodes, pods and queues through `ClusterAccess`; what they mean is `jobs.gate`'s to say. A job
that fits nowhere ends here, before the lease; one that has to wait does so in line, first come,
first served, where the cluster keeps the line (`Line`), else by asking again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from components.placement import Placement
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.errors import NoOffer
from jobs.gate.demand import Demand, demands_of
from jobs.gate.line import Waiter, before
from jobs.gate.nodes import nodes_of
from jobs.gate.quota import Quota, quota_of
from jobs.gate.verdict import Answer, Verdict, judge
from jobs.spec import Job

__all__ = ["POLL", "Line", "Reading", "admit", "admit_job", "read", "verdict_of"]

POLL = 30.0
"""Seconds between two looks at a busy cluster."""
PATIENCE = 24 * 3600.0
"""Seconds; a job that found no room in a day is told so."""

Object = dict[str, Any]


class Objects(Protocol):
    """What of `ClusterAccess` is needed."""

    def objects(self, kind: str, namespace: str | None = None) -> list[Object]: ...


class Line(Protocol):
    """Who waits for a cluster; see `colony.gate_line`."""

    def join(self, wants: str, until: float) -> Waiter:
        """Puts the caller in line, or keeps its place until then (unix seconds)."""

    def others(self, now: float) -> list[Waiter]:
        """All that are in line and alive."""

    def leave(self) -> None: ...


class Clock(Protocol):
    """A ground has these two."""

    def now(self) -> float: ...

    def wait(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Reading:
    """A cluster at one moment."""

    nodes: list[Object]
    pods: list[Object]
    local_queues: list[Object]
    cluster_queues: list[Object]


def read(access: Objects, queued: bool = False) -> Reading:
    """Raises ColonyError where the cluster does not answer."""
    local = access.objects("LocalQueue.kueue.x-k8s.io") if queued else []
    cluster = access.objects("ClusterQueue.kueue.x-k8s.io") if queued else []
    return Reading(access.objects("Node"), access.objects("Pod"), local, cluster)


def verdict_of(job: Job, spec: ColonySpec, seen: Reading) -> Verdict:
    """Of one job. Its own pods, and those of an earlier `up` of it, do not stand in its way."""
    own = {"colony.dev/colony": spec.name, "colony.dev/job": job.name}
    pods = [pod for pod in seen.pods if not _carries(pod, own)]
    demands = demands_of(job)
    return judge(demands, nodes_of(seen.nodes, pods), job.spread, _quotas(job, spec, demands, seen))


def admit(
    spec: ColonySpec, placement: Placement, access_of: Callable[[str], Objects], clock: Clock,
    tell: Callable[[str], None], *, line_of: Callable[[str, Job], Line] | None = None,
    patience: float = PATIENCE,
) -> None:  # fmt: skip
    """Returns when every job on an existing cluster has room there. A job with a queue is not
    waited for: Kueue keeps it suspended until there is room.

    Raises NoOffer for what can never run there, or found no room in time.
    """
    existing = {each.name for each in placement.clusters if each.cloud == "existing"}
    for job in spec.jobs:
        cluster = placement.jobs.get(job.name, "")
        if cluster in existing:
            line = line_of(cluster, job) if line_of and not job.queue else None
            admit_job(job, spec, cluster, access_of(cluster), clock, tell, line, patience)


def admit_job(
    job: Job, spec: ColonySpec, cluster: str, access: Objects, clock: Clock,
    tell: Callable[[str], None], line: Line | None = None, patience: float = PATIENCE,
) -> None:  # fmt: skip
    """The same for one job on one cluster."""
    deadline, said = clock.now() + patience, ""
    try:
        while reason := _reason(job, spec, cluster, access, clock, line):
            if clock.now() >= deadline:
                raise NoOffer(f"{job.name} on {cluster}: still no room: {reason}")
            if reason != said:
                tell(f"{job.name} waits for {cluster}: {reason}")
                said = reason
            clock.wait(min(POLL, max(1.0, deadline - clock.now())))
    finally:
        if line:
            line.leave()


def _reason(
    job: Job, spec: ColonySpec, cluster: str, access: Objects, clock: Clock, line: Line | None
) -> str:
    """Why the job has to wait; empty when it may go."""
    verdict = verdict_of(job, spec, read(access, queued=bool(job.queue)))
    if verdict.answer is Answer.ABSENT:
        raise NoOffer(f"{job.name} on {cluster}: {verdict.reason}", _refused(verdict))
    if job.queue:
        return ""
    if line:
        me = line.join(_wants(job), clock.now() + 3 * POLL)
        if older := before(me, line.others(clock.now())):
            return f"{older.name} came first"
    return verdict.reason


def _quotas(
    job: Job, spec: ColonySpec, demands: Iterable[Demand], seen: Reading
) -> list[tuple[str, Quota]]:
    """A queue that is not there yet is made with the colony, and has no quota of its own."""
    if not job.queue:
        return []
    names = {name for demand in demands for name in demand.asks}
    space = namespace_of(job, spec)
    found = {
        name: quota_of(seen.local_queues, seen.cluster_queues, job.queue, name, space)
        for name in sorted(names)
    }
    return [(name, quota) for name, quota in found.items() if quota]


def _wants(job: Job) -> str:
    """The model of its GPUs; CPU jobs are one line."""
    models = sorted({demand.model for demand in demands_of(job) if demand.model})
    return ",".join(models) or "cpu"


def _refused(verdict: Verdict) -> list[dict[str, object]]:
    return [
        {"reason": f"{line.what}: {line.demanded} asked, {line.available} free", "count": 1}
        for line in verdict.lines
    ]


def _carries(pod: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    have = pod["metadata"].get("labels") or {}
    return all(have.get(key) == value for key, value in labels.items())

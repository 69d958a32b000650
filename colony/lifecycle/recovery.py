"""Starts jobs again whose machines were taken, or that ended with an error: where they were, or in
the next region. Whether and where, `jobs/restarts.py` decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from colony.lifecycle.following import Following
from colony.lifecycle.ground import ClusterAccess, Ground, Tell
from colony.lifecycle.incident import Incident
from colony.lifecycle.kinds import WORKLOADS, carries
from colony.lifecycle.spending import Purse
from colony.lifecycle.state import manifests
from colony.market.costs import minutes_of, notice_of
from colony.market.decision import Action, Decision
from components.placement import ClusterPlacement, Placement
from jobs.errors import ColonyError
from jobs.recovery import Recovery, Strategy, Work
from jobs.restarts import Cause, Next, Where, answered, cause_of, recovery_of
from jobs.state import JobState

__all__ = ["Lives", "Recovering"]


class Lives:
    """The interruptions of a run, for its receipt."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def to_dict(self) -> dict[str, Any]:
        return {
            "lost_seconds": round(sum(line["lost_seconds"] for line in self.lines), 3),
            "lost_usd": round(sum(line["lost_usd"] for line in self.lines), 4),
            "interruptions": self.lines,
        }


@dataclass
class _Tried:
    work: Work
    errors: int = 0


Elsewhere = Callable[[str, Decision], Mapping[str, ClusterAccess]]
"""Leaves a cluster, by its name, and does what the market says; the new accesses by job. Raises
ColonyError where that did not come about: then nothing of it may be up."""


@dataclass
class Recovering:
    """What it needs of a run. `placement` and `purse` change when the colony moves."""

    ground: Ground
    tell: Tell
    since: float
    expires: float
    placement: Callable[[], Placement]
    purse: Callable[[], Purse]
    lives: Lives
    state: Callable[[], Mapping[str, Any]]
    """The stack's, secrets opened."""
    market: Callable[[str], Decision | None] = lambda cluster: None
    """Where else this cluster's machines are; None = nobody can say."""
    elsewhere: Elsewhere | None = None
    incident: Incident | None = None
    _tried: dict[str, _Tried] = field(default_factory=dict)

    def again(
        self, item: Following, state: JobState, now: float, all_: Sequence[Following]
    ) -> str | None:
        """A job has ended. None = it was started again, and `item` is as new; otherwise why it
        was not, empty where nobody asked for it."""
        cause, recovery = cause_of(state), self._recovery(item)
        if cause is None or recovery is None:
            return ""
        said = state.message or state.reason
        return self._recover(item, recovery, cause, said, state.exit_code, now, all_)

    def late(self, item: Following, now: float, all_: Sequence[Following]) -> str | None:
        """Machines in the place of those that were taken did not come; as `again`."""
        recovery = self._recovery(item)
        if recovery is None or not item.waits_for_machines:
            return ""
        said = "no machines came in the place of those that were taken"
        return self._recover(item, recovery, Cause.PREEMPTED, said, None, now, all_, refused=True)

    def _recovery(self, item: Following) -> Recovery | None:
        spot = any(pool.spot for pool in self._cluster(item).pools)
        return recovery_of(item.job, spot)

    def _recover(
        self,
        item: Following,
        recovery: Recovery,
        cause: Cause,
        said: str,
        code: int | None,
        now: float,
        all_: Sequence[Following],
        refused: bool = False,
    ) -> str | None:
        tried = self._tried.setdefault(item.job.name, _Tried(Work(recovery)))
        cluster = self._cluster(item)
        notice = notice_of(cluster.cloud) if cause is Cause.PREEMPTED else 0.0
        lost = tried.work.stop(item.worked(now), notice)
        wanted = cause is Cause.PREEMPTED and (
            refused or recovery.strategy is Strategy.EAGER_NEXT_REGION
        )
        found = self._other_region(item, cluster, all_) if wanted else None
        asked = {
            "recovery": recovery.model_dump(mode="json"), "cause": cause.value, "exit_code": code,
            "errors": tried.errors, "seconds": self._seconds_left(item, now),
            "starting": _starting(cluster), "others": found is not None, "same_refused": refused,
        }  # fmt: skip
        following = answered(asked)
        tried.errors += following.counts
        if self.incident:
            self.incident.stopped(self.ground.now(), {**asked, "job": item.job.name}, following)
        self._note(item, cluster, cause, code, now, lost, following)
        if following.again:
            self._tell(item, said, now, following)
        return self._begun(item, following, found, now, cause, all_)

    def _begun(
        self,
        item: Following,
        following: Next,
        found: Decision | None,
        now: float,
        cause: Cause,
        all_: Sequence[Following],
    ) -> str | None:
        if not following.again:
            return following.reason
        item.begin_again(now)
        try:
            if following.where is Where.NEXT and found and self.elsewhere:
                self._move(item, found, all_)
            else:
                self._restart(item)
                item.waits_for_machines = cause is Cause.PREEMPTED
        except ColonyError as error:
            return f"{following.reason}, and it could not start again: {error}"
        return None

    def _move(self, item: Following, found: Decision, all_: Sequence[Following]) -> None:
        assert self.elsewhere is not None
        accesses = self.elsewhere(self._cluster(item).name, found)
        for each in all_:
            each.access = accesses[each.job.name]
        item.since = item.heard = self.ground.now() - self.since
        item.waits_for_machines = False

    def _restart(self, item: Following) -> None:
        """Every workload that the job became, as the engine made it."""
        kind = WORKLOADS[item.job.backend.value]
        ours = [each for each in manifests(self.state(), kind) if carries(each, item.job.name)]
        if not ours:
            raise ColonyError(f"the state has no {kind} of job {item.job.name}")
        for manifest in ours:
            item.access.restart(manifest)

    def _other_region(
        self, item: Following, cluster: ClusterPlacement, all_: Sequence[Following]
    ) -> Decision | None:
        """A cluster that other jobs run on is not left."""
        jobs = self.placement().jobs
        shared = any(
            jobs[each.job.name] == cluster.name for each in all_ if each.job.name != item.job.name
        )
        if shared or self.elsewhere is None:
            return None
        decision = self.market(cluster.name)
        return decision if decision and decision.action is Action.MOVE else None

    def _seconds_left(self, item: Following, now: float) -> float | None:
        left = min(
            self.expires - self.ground.now(),
            self.purse().seconds_left(),
            item.job.max_run_time - item.ran - item.worked(now),
        )
        return None if math.isinf(left) else round(left, 3)

    def _tell(self, item: Following, said: str, now: float, following: Next) -> None:
        what = f"job {item.job.name} interrupted"
        self.tell(f"{what}: {said}")
        self.tell(f"job {item.job.name} starts again: {following.where.value} ({following.reason})")
        self.lives.events.append({"at": round(now, 3), "what": what, "urn": ""})

    def _note(
        self,
        item: Following,
        cluster: ClusterPlacement,
        cause: Cause,
        code: int | None,
        now: float,
        lost: float,
        following: Next,
    ) -> None:
        price = self.placement().price_per_hour
        line = {
            "at": round(now, 3), "job": item.job.name, "cause": cause.value, "exit_code": code,
            "where": f"{cluster.cloud}/{cluster.region}", "lost_seconds": round(lost, 3),
            "lost_usd": round(lost * price / 3600, 4), "then": following.where.value,
            "reason": following.reason,
        }  # fmt: skip
        self.lives.lines.append(line)

    def _cluster(self, item: Following) -> ClusterPlacement:
        placement = self.placement()
        name = placement.jobs[item.job.name]
        return next(each for each in placement.clusters if each.name == name)


def _starting(cluster: ClusterPlacement) -> float:
    """Modelled seconds until a job runs, with a cluster of its own."""
    minutes = minutes_of(cluster.cloud)
    return sum(minutes[part] for part in ("cluster", "nodes", "pulling")) * 60

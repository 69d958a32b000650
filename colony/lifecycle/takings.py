"""A world's spot machines while jobs run on them: which are taken next, and whom that stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from colony.lifecycle.refused import pool_at
from colony.market.costs import notice_of
from colony.rehearsal.jobs import SimulatedJob
from colony.rehearsal.preemptions import PreemptionRule, SpotPool, Taking, next_taking

if TYPE_CHECKING:
    from colony.rehearsal.world import World
    from components.placement import Placement

__all__ = ["Takings"]


@dataclass
class _Watched:
    """One pool: `since` when its machines are there, in the world's time."""

    cluster: str
    """As the placement calls it."""
    pool: SpotPool
    since: float
    taking: Taking | None

    @property
    def due(self) -> float:
        return self.since + self.taking.after if self.taking else math.inf


@dataclass
class Takings:
    """Asked at every step of the world's time."""

    world: World
    colony: str
    placement: Placement
    rules: list[PreemptionRule]
    pools: list[_Watched] = field(default_factory=list)

    @classmethod
    def of(cls, world: World, colony: str, placement: Placement) -> Takings:
        """The spot pools that are there now; what is watched already has its own time."""
        takings = cls(world, colony, placement, world.faults.preemptions)
        if takings.rules and any(p.spot for c in placement.clusters for p in c.pools):
            takings.pools = [*takings._found()]
        return takings

    def keep(self, before: Takings) -> None:
        """The times of pools that were there before."""
        known = {(each.pool.urn, each.pool.region): each for each in before.pools}
        self.pools = [known.get((each.pool.urn, each.pool.region), each) for each in self.pools]

    def next_change(self) -> float:
        return min((each.due for each in self.pools), default=math.inf)

    def printed(self, line: str) -> float:
        """Seconds of the world's time that have passed when a rank prints this line; 0 = none
        that anybody knows of."""
        now = self.world.now()
        due = [
            each.due - now
            for each in self.pools
            if each.taking and each.taking.line and fnmatchcase(line, each.taking.line)
        ]
        return max(0.0, min(due, default=0.0))

    def tick(self, now: float, jobs: Mapping[str, list[SimulatedJob]]) -> None:
        """`jobs` by the placement's name of their cluster."""
        for each in self.pools:
            while each.taking and each.due <= now:
                self._take(each, jobs.get(each.cluster, []))

    def _take(self, each: _Watched, jobs: list[SimulatedJob]) -> None:
        assert each.taking is not None
        at, back, pool = each.due, each.taking.back, each.pool
        taken = self.world.preempt(pool.urn, pool.region)
        for job in jobs:
            job.take(at, back, notice_of(pool.cloud))
        each.pool = SpotPool(pool.urn, pool.region, pool.cloud, pool.nodes, taken)
        each.since, each.taking = at + back, self._next(each.pool)

    def _found(self) -> list[_Watched]:
        clouds = {cluster.name: cluster for cluster in self.placement.clusters}
        found = []
        for thing in self.world.inventory():
            urn = thing["urn"]
            place = pool_at(self.colony, self.placement, urn) if urn else None
            if place is None:
                continue
            cluster = clouds[place[0]]
            spot = next((p for p in cluster.pools if p.name == place[1] and p.spot), None)
            if spot is None:
                continue
            count = self.world.preempted(urn, cluster.region)
            pool = SpotPool(urn, cluster.region, cluster.cloud, spot.nodes, count)
            found.append(_Watched(cluster.name, pool, self.world.now(), self._next(pool)))
        return found

    def _next(self, pool: SpotPool) -> Taking | None:
        return next_taking(self.rules, self.world.seed, pool)

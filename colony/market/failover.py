"""What to do when a cloud refused: stop, ask again later, or ask elsewhere. Pure: it is fed with
refusals and times of any one clock, so that what it decided can be computed again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from colony.market.catalog import Catalog
from colony.market.decision import Action, Decision, Policy, Refused, Understood
from colony.market.failures import Blocks, Failure, Kind, Reach, classify
from colony.market.leaving import changed, kept, stuck, without
from colony.market.needs import numbered
from colony.market.place import SYSTEM
from colony.market.quotas import Lookup, Quota, short, unknown
from colony.market.settle import Settled, considered, settle
from colony.market.zones import Cell, cells_of, open_catalog, pinned, staying
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import Cloud, ColonySpec
from jobs.errors import NoOffer

__all__ = ["Failover"]


@dataclass
class Failover:
    """One colony's way through the market."""

    spec: ColonySpec
    """As it was asked for, with its alternatives."""
    catalog: Catalog
    by: str = "expected"
    built: Collection[str] | None = None
    policy: Policy = field(default_factory=Policy)
    quota: Lookup = unknown
    began: float = 0.0
    blocks: Blocks = field(default_factory=Blocks)
    quotas: dict[Cell, Quota | None] = field(default_factory=dict)
    """What the clouds told, by cell without its zone."""
    attempts: int = 0
    _pauses: int = 0
    _left: list[tuple[str, str]] = field(default_factory=list)
    """(cloud, region) that machines were taken from, in the order of the last time."""

    def first(self) -> Settled:
        """Where the first attempt goes, by prices and by the quotas that are told.

        Raises NoOffer, NotSupported, InputError.
        """
        settled = self._settled(self.spec, self.began)
        self.catalog = considered(self.spec, self.catalog)
        return settled

    def decide(self, settled: Settled, refused: Sequence[Refused], now: float) -> Decision:
        """`refused`: what the clouds said when `settled` was tried; at least one."""
        self.attempts += 1
        understood = [self._understood(settled.placement, each, now) for each in refused]
        stop = self._final(understood, now)
        if stop:
            return Decision(Action.STOP, stop, understood)
        if all(each.failure.retry for each in understood):
            return self._again(understood, now)
        self._pauses = 0
        return self._move(settled, understood, now)

    def taken(self, settled: Settled, cluster: str, now: float) -> Decision:
        """Spot machines of a cluster were taken: the best region but this one, the regions that
        machines were taken from before last of all. STOP: no other region has such machines."""
        here = next(each for each in settled.placement.clusters if each.name == cluster)
        place = (here.cloud, here.region)
        self._left = [*(each for each in self._left if each != place), place]
        for start in range(len(self._left)):
            if found := self._without(self._left[start:], settled, cluster, now):
                return Decision(Action.MOVE, "the next region", settled=found, moved=[cluster])
        return Decision(Action.STOP, "no other region has such machines now")

    def again(self, now: float) -> None:
        """A new search begins, with what is known."""
        self.began, self.attempts, self._pauses = now, 0, 0

    def _without(
        self, places: Sequence[tuple[str, str]], settled: Settled, cluster: str, now: float
    ) -> Settled | None:
        known = self.blocks
        self.blocks = known.without(places)
        try:
            return self._elsewhere(settled, [cluster], now)
        except NoOffer:
            return None
        finally:
            self.blocks = known

    def _understood(self, placement: Placement, refused: Refused, now: float) -> Understood:
        cluster = next(each for each in placement.clusters if each.name == refused.cluster)
        pool = next((each for each in cluster.pools if each.name == refused.pool), None)
        failure = classify(cluster.cloud, refused.text)
        if refused.cluster in self._own:  # it says nothing of any offer
            return Understood(refused.cluster, refused.pool, _of_hosts(failure), None)
        failure = _widened(failure, pool)
        for cell in cells_of(cluster, pool or cluster.pools[0]):
            self.blocks.add(failure, cell, now)
        free = failure.retry or failure.reach in (Reach.NOTHING, Reach.ALL)
        until = None if free else now + failure.hold
        return Understood(refused.cluster, refused.pool, failure, until)

    def _final(self, understood: Sequence[Understood], now: float) -> str:
        """Why no other attempt can help; empty where one may."""
        bought = [each for each in understood if each.cluster not in self._own]
        for kind in (Kind.CREDENTIAL, Kind.REQUEST):
            said = [each.failure.text for each in bought if each.failure.kind is kind]
            if said:
                return f"{kind.value} error, which no other offer would mend: {said[0]}"
        if self.attempts >= self.policy.attempts:
            return f"{self.attempts} attempts failed, the last: {understood[0].failure.text}"
        if now >= self._end:
            return f"nothing could be had within {self.policy.deadline:.0f} s"
        return ""

    @property
    def _end(self) -> float:
        return self.began + self.policy.deadline

    def _again(self, understood: Sequence[Understood], now: float) -> Decision:
        hold = max(each.failure.hold for each in understood)
        after = min(self.policy.longest_pause, float(hold) * 2**self._pauses)
        self._pauses += 1
        if now + after > self._end:
            reason = f"throttled for {self.policy.deadline:.0f} s: {understood[0].failure.text}"
            return Decision(Action.STOP, reason, understood)
        return Decision(Action.AGAIN, "throttled", understood, after)

    def _move(self, settled: Settled, understood: Sequence[Understood], now: float) -> Decision:
        """What nobody has refused yet; then what is open again; then what will be the first to be.

        At the time of the beginning every block holds: what is open then was never refused.
        """
        failed = list(dict.fromkeys(e.cluster for e in understood if not e.failure.retry))
        left = [name for name in failed if name in self._own]
        if left and (stuck := self._stuck(settled, left)):
            failed, left = [name for name in failed if name not in left], []
            if not failed:
                return Decision(Action.STOP, f"{_named_last(understood)} ({stuck})", understood)
        for at in [self.began, now, *self.blocks.ends(now, self._end)]:
            try:
                found = self._elsewhere(settled, failed, at, left)
            except NoOffer:
                continue
            reason = "the next best offer" if at <= now else "everything is blocked until then"
            if left:
                self.spec = without(self.spec, left)
            moved = [*failed, *changed(settled.placement, found.placement, failed)]
            return Decision(Action.MOVE, reason, understood, max(0.0, at - now), found, moved)
        reason = f"every offer is refused for as long as we may look: {_last(understood)}"
        return Decision(Action.STOP, reason, understood)

    @property
    def _own(self) -> set[str]:
        """Clusters of the user's own machines: they are where they are."""
        return {each.name for each in self.spec.clusters if each.cloud is Cloud.ONPREM}

    def _stuck(self, settled: Settled, left: Collection[str]) -> str:
        if not self.policy.leaves_hosts:
            return "these machines are the file's own: no others are asked for"
        return stuck(self.spec, settled.placement, left)

    def _elsewhere(
        self, settled: Settled, failed: Sequence[str], now: float, left: Collection[str] = ()
    ) -> Settled:
        """The failed clusters anew, one after the other; the others stay. But the jobs of those
        that are `left` go to the others, which may grow by that."""
        for name in failed:
            if name not in left:
                part = self._settled(_part(self.spec, settled, name), now)
                settled = _merged(settled, name, part)
        if not left:
            return settled
        return kept(settled, self._settled(without(settled.spec, left), now))

    def _settled(self, spec: ColonySpec, now: float) -> Settled:
        """The best of what is open; what a quota is told to be too small for is not."""
        zones = [zone for cluster in spec.clusters for zone in cluster.zones]
        zones += [job.resources.zone for job in spec.jobs if job.resources.zone]
        while True:
            prices = open_catalog(self.catalog, self.blocks, now, zones)
            found = self._tried(spec, prices)
            placement = pinned(found.placement, self.blocks, now)
            if not self._too_small(placement, now):
                return Settled(found.spec, placement)

    def _tried(self, spec: ColonySpec, prices: Catalog) -> Settled:
        try:
            return settle(spec, prices, self.by, self.built)
        except NoOffer as error:
            known = [each for each in self.shortages if each not in str(error)]
            if not known:
                raise
            refused = [{"reason": reason, "count": 1, "near": []} for reason in known]
            raise NoOffer("; ".join([*known, str(error)]), [*refused, *error.refused]) from None

    @property
    def shortages(self) -> list[str]:
        """The offers that were refused before any attempt, each with its quota."""
        return list(self._short.values())

    _short: dict[Cell, str] = field(default_factory=dict)

    def _too_small(self, placement: Placement, now: float) -> bool:
        found = False
        for cluster in placement.clusters:
            for pool in cluster.pools:
                cell = replace(cells_of(cluster, pool)[0], zone="")
                quota = self._told(cell)
                failure = short(cluster, pool, quota) if quota else None
                if failure and cell not in self._short:
                    self.blocks.add(replace(failure, hold=_FOR_GOOD), cell, now)
                    self._short[cell] = failure.text
                    found = True
        return found

    def _told(self, cell: Cell) -> Quota | None:
        if cell.cloud == "existing":
            return None
        if cell not in self.quotas:
            self.quotas[cell] = self.quota(cell)
        return self.quotas[cell]


_FOR_GOOD = 10**12
"""Seconds: a quota that is told does not change while one colony looks."""


def _widened(failure: Failure, pool: PoolPlacement | None) -> Failure:
    """What is said of no pool, or of the machines that every cluster has, is said of the region."""
    narrow = failure.reach in (Reach.OFFER, Reach.ZONE, Reach.TYPE, Reach.FAMILY)
    if narrow and (pool is None or pool.name == SYSTEM):
        return replace(failure, reach=Reach.REGION)
    return failure


def _of_hosts(failure: Failure) -> Failure:
    return replace(failure, reach=Reach.NOTHING)


def _part(spec: ColonySpec, settled: Settled, name: str) -> ColonySpec:
    """The colony as if it had this cluster alone."""
    where = settled.placement.jobs
    others = [each for each in settled.placement.clusters if each.name != name]
    spent = settled.placement.model_copy(update={"clusters": others}).price_per_hour
    left = None if spec.max_price is None else max(spec.max_price - spent, 0.0)
    return spec.model_copy(
        update={
            "max_price": left,
            "clusters": [cluster for cluster in spec.clusters if cluster.name == name],
            "jobs": [job for job in spec.jobs if where.get(job.name) == name],
        }
    )


def _merged(settled: Settled, name: str, part: Settled) -> Settled:
    """The part's clusters in the place of one; the first keeps its name."""
    old = settled.placement
    taken = {cluster.name for cluster in old.clusters}
    names: dict[str, str] = {}
    for cluster in part.placement.clusters:
        names[cluster.name] = new = name if not names else _unused(name, taken)
        taken.add(new)
    fresh = [_named(cluster, names[cluster.name]) for cluster in part.placement.clusters]
    left = next(cluster for cluster in old.clusters if cluster.name == name)
    fresh[:1] = [staying(left, each) for each in fresh[:1]]
    jobs = {job.name: job for job in part.spec.jobs}
    placement = Placement(
        clusters=[
            each
            for old_one in old.clusters
            for each in (fresh if old_one.name == name else [old_one])
        ],
        jobs=old.jobs | {job: names[where] for job, where in part.placement.jobs.items()},
        catalog_date=min(old.catalog_date, part.placement.catalog_date),
    )
    spec = settled.spec.model_copy(
        update={"jobs": [jobs.get(job.name, job) for job in settled.spec.jobs]}
    )
    return Settled(spec, placement)


def _unused(name: str, taken: set[str]) -> str:
    return next(each for n in range(1, len(taken) + 2) if (each := numbered(name, n)) not in taken)


def _named(cluster: ClusterPlacement, name: str) -> ClusterPlacement:
    return cluster.model_copy(update={"name": name})


def _last(understood: Sequence[Understood]) -> str:
    return understood[-1].failure.text


def _named_last(understood: Sequence[Understood]) -> str:
    """With the machine."""
    last = understood[-1]
    return f"{last.pool or last.cluster}: {last.failure.text}"

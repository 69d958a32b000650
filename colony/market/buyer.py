"""The cheapest region for pools that must be together."""

from __future__ import annotations

from dataclasses import dataclass

from colony.market.catalog import Catalog
from colony.market.costs import expected
from colony.market.egress import Where
from colony.market.needs import PoolNeed
from colony.market.plan import Offer, Plan, plan
from components.clusters.abilities import has_spot
from jobs.errors import NoOffer, NotSupported, Problem
from jobs.problems import kindless

__all__ = ["Buyer", "Where"]


@dataclass(frozen=True)
class Buyer:
    """Looks for offers in one catalogue, for clouds that can be built, by one cost."""

    catalog: Catalog
    by: str
    built: frozenset[str]

    def refuse_unbuilt(self, cluster: str, cloud: str) -> None:
        if cloud in self.built:
            return
        raise NotSupported(kindless(cloud, sorted(self.built), f"clusters[{cluster}].cloud"))

    def refuse_spot(self, pool: PoolNeed) -> None:
        clouds = self.built - {"existing"}
        unable = {cloud for cloud in clouds if not has_spot(cloud)}
        able = clouds - unable
        if pool.request.cloud in unable or not able:
            message = f"spot pools on {' or '.join(sorted(unable))} are not built yet"
            raise NotSupported(Problem(pool.owner, message, "leave out spot"))

    def plan(self, pool: PoolNeed) -> Plan:
        if pool.request.use_spot:
            self.refuse_spot(pool)
        made = plan(pool.request, self.catalog, by=self.by, built=self.built)
        if not made.fitting:
            raise NoOffer(f"no offer for {pool.owner}: {made.failed}", made.refused)
        return made

    def cheapest(self, plans: list[Plan]) -> tuple[Where, list[Offer]] | None:
        """The cheapest region that every plan has an offer in, with the best offer of each."""
        best = [{offer.where: offer for offer in made.by_region} for made in plans]
        hours = max(made.request.hours for made in plans)
        shared = set(best[0]).intersection(*best[1:])
        costs = {
            where: self._cost([offers[where] for offers in best], where, hours) for where in shared
        }
        if not costs:
            return None
        where = min(costs, key=lambda where: (costs[where], where))
        return where, [offers[where] for offers in best]

    def _cost(self, offers: list[Offer], where: Where, hours: float) -> float:
        cloud, region = where
        nodes = sum(offer.price_per_hour for offer in offers)
        if self.by == "expected":
            taken = sum(offer.nodes for offer in offers if offer.spot)
            return expected(self.catalog, cloud, region, nodes, hours, taken).total
        return round(nodes, 6)

"""The cheapest feasible offer for a whole job, the ranked rest, and a reason for each refusal.

The order, written once: cost, then on-demand before spot, then cloud, region, zone and machine
type by name. Cost is the expected bill until the run is done (`expected`), or the price of a node
(`sticker`; the number of nodes is the same for all).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from colony.market.age import age_notes
from colony.market.catalog import Catalog
from colony.market.costs import Expected, expected
from colony.market.egress import Where
from colony.market.lanes import Kinds, Lane
from colony.market.ranking import Fitting, Ranking
from colony.market.refusals import Refusal, sift, sifted_text
from colony.market.request import Request
from colony.market.rows import Row, total
from colony.market.rules import rules_of
from jobs.problems import near

__all__ = ["OWN", "Offer", "Plan", "order", "plan"]

OWN = {"onprem": "own", "existing": "existing"}
"""Where nothing is bought -> how it is called."""


@dataclass(frozen=True)
class Offer:
    """One way to run the whole job. USD."""

    row: Row
    nodes: int
    spot: bool
    zone: str | None
    expected: Expected
    cluster: str = ""
    """The cluster of the file that it is in, or would be bought for."""
    free: int | None = None
    """Nodes of this size that are free there; None = as many as the cloud gives, or not known."""
    reserved: bool = False
    """See `Request.reserved`."""

    @property
    def capacity(self) -> str:
        """How it is had: own, existing, reserved, spot or on-demand."""
        if self.row.cloud in OWN:
            return OWN[self.row.cloud]
        if self.reserved:
            return "reserved"
        return "spot" if self.spot else "on-demand"

    @property
    def where(self) -> Where:
        return (self.row.cloud, self.row.region)

    @property
    def price_per_node_hour(self) -> float:
        return 0.0 if self.reserved else self.row.price_as(self.spot) or 0.0

    @property
    def price_per_hour(self) -> float:
        return round(self.nodes * self.price_per_node_hour, 6)

    def to_dict(self) -> dict[str, Any]:
        row = self.row
        return {
            "cloud": row.cloud,
            "region": row.region,
            "zone": self.zone,
            "instance_type": row.instance_type,
            "accelerators": row.accelerator or None,
            "count": int(row.gpus) if row.gpus == int(row.gpus) else row.gpus,
            "nodes": self.nodes,
            "spot": self.spot,
            "price_per_node_hour": self.price_per_node_hour,
            "price_per_hour": self.price_per_hour,
            "date": row.date,
            "capacity": self.capacity,
            "cluster": self.cluster or None,
            "free": self.free,
            "expected": self.expected.to_dict(),
        }


@dataclass(frozen=True)
class Plan:
    """The first of the offers is the chosen one."""

    request: Request
    catalog: Catalog
    fitting: Fitting
    """Feasible, by kind of machine."""
    refusals: Sequence[Refusal]
    top: int | None = None
    by: str = "expected"
    today: date | None = None

    @cached_property
    def offers(self) -> list[Offer]:
        """The best `top`, or all, each with what the run is expected to cost there."""
        return [self._offer(*pair) for pair in self._ranking.best(self.top)]

    @cached_property
    def by_region(self) -> list[Offer]:
        """The best of each region, ranked, whatever `top` is."""
        return [self._offer(*pair) for pair in self._ranking.by_region()]

    @property
    def chosen(self) -> Offer | None:
        return self.offers[0] if self.offers else None

    @cached_property
    def refused(self) -> list[dict[str, object]]:
        return [refusal.to_dict() for refusal in self.refusals]

    @property
    def failed(self) -> str:
        """One line: the constraints that failed, with near matches."""
        return sifted_text(self.refusals)

    @property
    def notes(self) -> list[str]:
        return list(_notes(self.request, self.offers, self.today))

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `colony plan`."""
        offers = [offer.to_dict() for offer in self.offers]
        return {
            "request": self.request.to_dict(),
            "offers": offers,
            "chosen": offers[0] if offers else None,
            "refused": self.refused,
            "found": self.found,
            "notes": self.notes,
        }

    @property
    def found(self) -> int:
        """How many rows are feasible."""
        return sum(len(lane) for lane, _ in self.fitting)

    @cached_property
    def _ranking(self) -> Ranking:
        return Ranking(self.fitting, self.request, self.catalog, self.by)

    def _offer(self, row: Row, spot: bool) -> Offer:
        request = self.request
        zone = row.zone or (request.zones[0] if len(request.zones) == 1 else None)
        price = 0.0 if request.reserved else row.price_as(spot) or 0.0
        rate, taken = request.nodes * price, request.nodes * spot
        bill = expected(self.catalog, row.cloud, row.region, rate, request.hours, taken)
        return Offer(row, request.nodes, spot, zone, bill, reserved=request.reserved)


def plan(
    request: Request,
    catalog: Catalog,
    top: int | None = None,
    by: str = "expected",
    today: date | None = None,
    built: Collection[str] | None = None,
) -> Plan:
    """`top` limits the offers shown; `today` is the day by which prices are stale; `built` are
    the clouds that can be chosen (default: those whose cluster kind is built)."""
    if request.context:
        return Plan(request, catalog, [(Lane([_existing(request)]), False)], (), today=today)
    built = _built() if built is None else built
    fitting: list[tuple[Lane, bool]] = []
    refusals: list[Refusal] = []
    for spot in (False, True) if request.use_spot is None else (request.use_spot,):
        kinds = _kinds(request, catalog)
        kept, refused = sift(kinds, rules_of(request, catalog, built, spot))
        fitting += [(lane, spot) for lane in kept]
        told = {refusal.reason for refusal in refusals}
        refused = refused or ([] if kinds else [_unknown(request, catalog)])
        refusals += [refusal for refusal in refused if refusal.reason not in told]
    return Plan(request, catalog, fitting, refusals, top, by, today)


def order(offer: Offer, by: str) -> tuple[float, bool, tuple[str, ...]]:
    """The written order, for offers of several requests: by sticker, for all of their nodes."""
    cost = offer.expected.total if by == "expected" else offer.price_per_hour
    return cost, offer.spot, total(offer.row)


def _built() -> Collection[str]:
    from components.clusters.base import kinds  # late: the market alone is light to import

    return frozenset(kinds())


def _kinds(request: Request, catalog: Catalog) -> Kinds:
    if request.accelerator or not request.instance_type:
        return catalog.kinds_with(request.accelerator or "")
    return catalog.kinds_of(request.instance_type)


def _existing(request: Request) -> Row:
    """Somebody else pays: a machine of the size asked for, at no price."""
    return Row(
        cloud="existing", region="", zone="", instance_type="",
        accelerator=request.accelerator or "", gpus=request.gpus, cpus=None, memory_gib=None,
        gpu_memory_gib=None, price=0.0, spot_price=None, arch="", date="",
    )  # fmt: skip


def _unknown(request: Request, catalog: Catalog) -> Refusal:
    """What was asked for is not in the catalogue at all."""
    if request.accelerator:
        asked, kind, names = request.accelerator, "accelerator", catalog.accelerators
    elif request.instance_type:
        asked, kind, names = request.instance_type, "machine type", catalog.instance_types
    else:
        asked, kind, names = "", "machine without accelerators", []
    reason = f"the catalogue has no {kind}" + (f" `{asked}`" if asked else "")
    return Refusal(reason, [], (), 0, tuple(near(asked, names)))


def _notes(request: Request, offers: list[Offer], today: date | None) -> Iterator[str]:
    from components.clusters.abilities import has_spot  # late: the market alone is light to import

    if request.context:
        yield f"runs on the existing cluster of context {request.context}: nothing is bought"
        return
    if request.count != request.gpus:
        yield f"{request.count:g} of a GPU takes a whole one: {request.what} a node"
    if request.needed_cpus != request.cpus:
        yield f"no size was asked for: machines with {request.needed_cpus} vCPUs"
    for cloud in sorted({offer.row.cloud for offer in offers if offer.spot}):
        if not has_spot(cloud):
            yield f"spot pools on {cloud} are not built yet: this is a price, not a plan to run"
    yield from age_notes(((offer.row.cloud, offer.row.date) for offer in offers), today)

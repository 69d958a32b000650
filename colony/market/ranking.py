"""Feasible rows by what the run costs on them, without looking at those that cannot be among the
best: a bill is a line over the price of a node, one line for each place and kind of price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from colony.market.catalog import Catalog
from colony.market.costs import line
from colony.market.egress import Where
from colony.market.lanes import Lane, cheapest_first
from colony.market.request import Request
from colony.market.rows import Row, total

__all__ = ["Fitting", "Pair", "Ranking"]

Pair = tuple[Row, bool]
"""A row, and whether as spot."""
Fitting = Sequence[tuple[Lane, bool]]
"""Lanes by rising price, and whether as spot."""

_Line = tuple[float, float]
_ROUNDED = 1e-6


class Ranking:
    """By cost, then on-demand before spot, then by name."""

    def __init__(self, fitting: Fitting, request: Request, catalog: Catalog, by: str) -> None:
        self.fitting, self.request, self.catalog, self.by = fitting, request, catalog, by
        self._lines = self._kept("lines")
        self._floors = self._kept("floors")

    def _kept(self, what: str) -> dict[object, _Line]:
        """What depends on the size of the request alone is the same for the next of this size."""
        request = self.request
        key = what, request.hours, request.nodes, request.reserved
        found: dict[object, _Line] = self.catalog.notes.setdefault(key, {})
        return found

    def best(self, top: int | None) -> list[Pair]:
        """The best `top`, or all."""
        if top is None:
            top = sum(len(lane) for lane, _ in self.fitting)
        bounds = [self._bound(lane, spot) for lane, spot in self.fitting]
        found = cheapest_first(bounds, lambda place: self._costs(*self.fitting[place]), top)
        pairs = [(cost, row, self.fitting[place][1]) for cost, place, row in found]
        return list(_ranked(pairs, top))

    def by_region(self) -> list[Pair]:
        """The best of each region."""
        best: dict[Where, list[tuple[float, Row, bool]]] = {}
        for lane, spot in self.fitting:
            for region, rows in lane.by_region().items():
                for row in rows:
                    cost = self._cost(row, spot)
                    known = best.setdefault((row.cloud, region), [])
                    if known and cost > known[0][0]:
                        break
                    if known and cost < known[0][0]:
                        known.clear()
                    known.append((cost, row, spot))
        return list(_ranked([_first_named(equal) for equal in best.values()], None))

    def _cost(self, row: Row, spot: bool) -> float:
        price = 0.0 if self.request.reserved else row.price_as(spot) or 0.0
        if self.by != "expected":
            return price
        fixed, hours = self._line(row.cloud, row.region, spot)
        return round(fixed + hours * (self.request.nodes * price), 6)

    def _bound(self, lane: Lane, spot: bool) -> float:
        """What its rows cost at least."""
        least, rate = self._floor(lane, spot)
        return least + rate * ((lane[0].spot_price if spot else lane[0].price) or 0.0)

    def _costs(self, lane: Lane, spot: bool) -> Iterator[tuple[float, float, Row]]:
        """(bound, cost, row) as the price rises."""
        least, rate = self._floor(lane, spot)
        for row in lane:
            price = (row.spot_price if spot else row.price) or 0.0
            yield least + rate * price, self._cost(row, spot), row

    def _line(self, cloud: str, region: str, spot: bool) -> _Line:
        known = self._lines.get((cloud, region, spot))
        if known is None:
            request = self.request
            known = line(self.catalog, cloud, region, request.hours, request.nodes * spot)
            self._lines[cloud, region, spot] = known
        return known

    def _floor(self, lane: Lane, spot: bool) -> _Line:
        """(USD, hours of all nodes) of the lane's cheapest region, but for the price of a node. A
        little less than that: no rounding makes a bound too high."""
        if self.by != "expected":
            return 0.0, float(not self.request.reserved)
        cloud, regions = lane[0].cloud, lane.regions
        known = self._floors.get((cloud, regions, spot))
        if known is None:
            fixed, hours = min(self._line(cloud, region, spot) for region in regions)
            rate = 0.0 if self.request.reserved else hours * self.request.nodes
            known = fixed - _ROUNDED, rate
            self._floors[cloud, regions, spot] = known
        return known


def _first_named(equal: list[tuple[float, Row, bool]]) -> tuple[float, Row, bool]:
    return min(equal, key=_name) if len(equal) > 1 else equal[0]


def _ranked(found: list[tuple[float, Row, bool]], top: int | None) -> Iterator[Pair]:
    """Equals by capacity, price and name: few need these, so few are compared by them."""
    given = 0
    for _, group in groupby(sorted(found, key=itemgetter(0)), key=itemgetter(0)):
        if given == top:
            return
        equal = list(group)
        if len(equal) > 1:
            equal.sort(key=_name)
        for _, row, spot in equal:
            if given == top:
                return
            given += 1
            yield row, spot


def _name(one: tuple[float, Row, bool]) -> tuple[bool, float, tuple[str, ...]]:
    """What is reserved costs nothing more, whatever it is: the plainest machine is meant."""
    _, row, spot = one
    return spot, row.price_as(spot) or 0.0, total(row)

"""The rows of one kind of machine, which never change: what was worked out of them is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappush, heapreplace
from operator import attrgetter
from typing import Any, TypeVar

from colony.market.rows import Row, tie

__all__ = ["Kinds", "Lane", "cheapest_first", "either_price"]

_T = TypeVar("_T")
_ON_DEMAND, _SPOT = attrgetter("price"), attrgetter("spot_price")


class Lane(list[Row]):
    """Rows that differ by place and price alone. Not to be changed."""

    __slots__ = ("_made",)

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)
        self._made: dict[object, Any] = {}

    def once(self, key: object, make: Callable[[], _T]) -> _T:
        if key not in self._made:
            self._made[key] = make()
        found: _T = self._made[key]
        return found

    def priced(self, spot: bool) -> tuple[Lane, Lane]:
        """The rows with such a price, cheapest first, equals in no order; and those without."""

        made: tuple[Lane, Lane] | None = self._made.get(spot)
        if made is None:
            known = [row for row in self if row.price_as(spot) is not None]
            known.sort(key=_SPOT if spot else _ON_DEMAND)
            made = Lane(known), Lane(row for row in self if row.price_as(spot) is None)
            self._made[spot] = made
        return made

    def region(self, region: str) -> tuple[Lane, Lane]:
        """The rows of a region, and the others."""
        here = self.by_region().get(region)
        if here is None:
            return Lane(), self
        return here, Lane(row for row in self if row.region != region)

    def by_region(self) -> dict[str, Lane]:
        """Region -> its rows, in the order of the lane."""
        return self.once("regions", self._regions)

    @property
    def regions(self) -> frozenset[str]:
        """Where its rows are."""
        return self.once("places", lambda: frozenset(row.region for row in self))

    def _regions(self) -> dict[str, Lane]:
        found: dict[str, Lane] = {}
        for row in self:
            found.setdefault(row.region, Lane()).append(row)
        return found

    @property
    def ranked(self) -> list[Row]:
        """By price of either kind, then by name."""
        return self.once("ranked", lambda: sorted(self, key=_order))

    @property
    def least(self) -> float:
        """The lowest price of either kind."""
        return self.once("least", lambda: min(map(either_price, self)))

    @property
    def first(self) -> Row:
        """The cheapest by price of either kind, then by name."""

        def make() -> Row:
            return min((row for row in self if either_price(row) == self.least), key=tie)

        return self.once("first", make)


Kinds = list[Lane]
"""Rows by kind of machine; none is empty."""


def either_price(row: Row) -> float:
    return row.price or row.spot_price or 0.0


def cheapest_first(
    bounds: Sequence[float], costs: Callable[[int], Iterator[tuple[float, float, Row]]], top: int
) -> list[tuple[float, int, Row]]:
    """At least all rows that cost no more than the one in place `top`: (cost, place of its lane,
    row), in no order.

    No row of a lane is below its bound. `costs` gives the lane's rows, each with a bound that
    rises, and that neither its own cost nor any later one is below: lanes and rows that cannot be
    among the best are not looked at.
    """
    worst: list[float] = []  # of the best so far, negative: a heap
    found: list[tuple[float, int, Row]] = []
    for place in sorted(range(len(bounds)), key=bounds.__getitem__):
        if len(worst) == top and bounds[place] > -worst[0]:
            break
        for bound, cost, row in costs(place):
            if len(worst) == top and bound > -worst[0]:
                break
            found.append((cost, place, row))
            if len(worst) < top:
                heappush(worst, -cost)
            elif cost < -worst[0]:
                heapreplace(worst, -cost)
    return found


def _order(row: Row) -> tuple[object, ...]:
    return (either_price(row), *tie(row))

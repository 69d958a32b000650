"""What must hold for a row to be an offer, in the order in which refusals are reported."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from colony.market.catalog import Catalog
from colony.market.lanes import Lane
from colony.market.request import Request
from colony.market.rows import Row
from jobs.quantities import Amount, parse_cpus, parse_memory

__all__ = ["Rule", "rules_of"]


def _no_gap(_: Row) -> float:
    return 0.0


@dataclass(frozen=True)
class Rule:
    """`near` says what to ask for instead of `asked` so that a row would hold; `gap` how far off
    it is. `splits`: rows are refused for different reasons. `of_kind`: it looks at nothing but what
    all rows of one kind of machine share; `near` too, unless it `names_places`. `parts` is `holds`
    for a whole lane, where that is quicker; `by_price`: `gap` is the price, and rows come by it."""

    holds: Callable[[Row], bool]
    reason: Callable[[Row], str]
    near: Callable[[Row], str]
    gap: Callable[[Row], float] = _no_gap
    asked: str = ""
    splits: bool = False
    of_kind: bool = False
    names_places: bool = False
    parts: Callable[[Lane], tuple[Lane, Lane]] | None = None
    by_price: bool = False


def rules_of(request: Request, catalog: Catalog, built: Collection[str], spot: bool) -> list[Rule]:
    """Only the rules that this request brings into play."""
    return [
        *_machine(request),
        *_place(request, catalog),
        *_size(request),
        *_money(request, spot),
        _kind(built, spot),
    ]


def _machine(request: Request) -> Iterator[Rule]:
    if request.accelerator:
        yield _count(request.gpus, request.what)
    if request.instance_type:
        yield _type(request.instance_type)
    elif not request.accelerator:
        yield Rule(
            holds=lambda row: row.arch == "x86_64",
            reason=lambda row: f"{row.arch} machines, and images are x86_64",
            near=lambda row: f"instance_type {row.instance_type}",
            splits=True,
            of_kind=True,
        )


def _count(gpus: int, what: str) -> Rule:
    """Exactly: a larger machine would be paid for and idle, so it is only ever a near match."""
    return Rule(
        holds=lambda row: row.gpus == gpus,
        reason=lambda row: f"not exactly {what} a node",
        near=lambda row: f"{row.accelerator}:{row.gpus:g}",
        gap=lambda row: abs(row.gpus - gpus),
        of_kind=True,
    )


def _type(name: str) -> Rule:
    return Rule(
        holds=lambda row: row.instance_type.casefold() == name.casefold(),
        reason=lambda row: f"not the machine type {name}",
        near=lambda row: row.instance_type,
        asked=name,
        of_kind=True,
    )


def _place(request: Request, catalog: Catalog) -> Iterator[Rule]:
    cloud, region, zones = request.cloud, request.region, request.zones
    if cloud:
        known = cloud in catalog.clouds
        reason = f"not on {cloud}" if known else f"the catalogue has no prices of `{cloud}`"
        yield Rule(
            holds=lambda row: row.cloud == cloud,
            reason=lambda row: reason,
            near=lambda row: row.cloud,
            asked=cloud,
            of_kind=True,
        )
    if region:
        yield Rule(
            holds=lambda row: row.region == region,
            reason=lambda row: f"no {request.what} in region {region}",
            near=lambda row: row.region,
            asked=region,
            parts=lambda lane: lane.region(region),
        )
    if zones:
        yield Rule(
            holds=lambda row: _in_zones(row, request),
            reason=lambda row: f"not in zone {' or '.join(zones)}",
            near=lambda row: row.zone or row.region,
            asked=zones[0],
        )


def _in_zones(row: Row, request: Request) -> bool:
    """A price of a whole region is that of its zones, which start with its name."""
    if row.zone or request.region:
        return row.zone in (*request.zones, "")
    return any(zone.startswith(row.region) for zone in request.zones)


def _size(request: Request) -> Iterator[Rule]:
    if request.needed_cpus:
        yield _amount(parse_cpus(request.needed_cpus), "vCPUs", lambda row: row.cpus)
    if request.memory:
        yield _amount(parse_memory(request.memory), "GiB of memory", lambda row: row.memory_gib)


def _amount(amount: Amount, unit: str, have: Callable[[Row], float | None]) -> Rule:
    def holds(row: Row) -> bool:
        value = have(row)
        if value is None:
            return False
        return value >= amount.value if amount.at_least else value == amount.value

    def near(row: Row) -> str:
        value = have(row)
        return "not known" if value is None else f"{value:g}"

    return Rule(
        holds=holds,
        reason=lambda row: f"not {amount} {unit} a node",
        near=near,
        gap=lambda row: abs((have(row) or 0) - amount.value),
        of_kind=True,
    )


def _money(request: Request, spot: bool) -> Iterator[Rule]:
    if request.reserved:
        return
    yield Rule(
        holds=lambda row: row.price_as(spot) is not None,
        reason=lambda row: "spot price unknown" if spot else "price unknown",
        near=lambda row: _otherwise(row, spot),
        parts=lambda lane: lane.priced(spot),
    )
    limit = request.max_price
    if limit:
        yield Rule(
            holds=lambda row: (row.price_as(spot) or 0) <= limit,
            reason=lambda row: f"over ${limit:g} a node-hour",
            near=lambda row: f"${row.price_as(spot):g}",
            parts=lambda lane: _capped(lane, limit, spot),
        )


def _capped(lane: Lane, limit: float, spot: bool) -> tuple[Lane, Lane]:
    """Of a lane by rising price; one without prices (a near match's) is not over the limit."""
    place = bisect_right(lane, limit, key=lambda row: row.price_as(spot) or 0.0)
    if place in (0, len(lane)):
        return (lane, Lane()) if place else (Lane(), lane)
    return Lane(lane[:place]), Lane(lane[place:])


def _otherwise(row: Row, spot: bool) -> str:
    where = f"{row.instance_type} in {row.region}"
    price = row.price_as(not spot)
    if price is None:
        return where
    return f"{where} {'on demand' if spot else 'as spot'} at ${price:,.2f}/h"


def _usd(price: float | None) -> str:
    return "an unknown price" if price is None else f"${price:,.2f}"


def _kind(built: Collection[str], spot: bool) -> Rule:
    return Rule(
        holds=lambda row: row.cloud in built,
        reason=lambda row: f"not provisionable here: {row.cloud} has no cluster kind",
        near=lambda row: f"{row.instance_type} in {row.region} at {_usd(row.price_as(spot))}/h",
        gap=lambda row: row.price_as(spot) or 0.0,
        splits=True,
        of_kind=True,
        names_places=True,
        by_price=True,
    )

"""What a simulated thing costs: fixed, by the disk, or by the market's catalogue."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from colony.market.catalog import Catalog
from colony.rehearsal.calls import Refusal
from colony.rehearsal.package import Package, Price
from colony.rehearsal.templates import Context, render

__all__ = ["gpus_of", "hourly", "instance_price", "use_catalog"]

HOURS_A_MONTH = 730.0


def use_catalog(folder: Path) -> None:
    """This world's market has the prices of that folder instead of the starter catalogue."""
    _market["folder"] = folder
    _catalogue.cache_clear()
    _catalogue_price.cache_clear()


def hourly(price: Price, package: Package, context: Context, region: str) -> float:
    """USD per hour. Raises Refusal for an instance type that nobody has a price of."""
    count = float(render(price.count, context))
    if price.hour is not None:
        return price.hour * count
    if price.gib and price.gib_month is not None:
        return float(render(price.gib, context)) * price.gib_month / HOURS_A_MONTH * count
    instance = str(render(price.instance, context))
    spot = str(render(price.spot or "", context)).casefold() in ("spot", "true")
    return instance_price(package, instance, region, spot) * count


def instance_price(package: Package, instance: str, region: str, spot: bool = False) -> float:
    """USD per hour of one machine: the market's, else the package's own."""
    found = _catalogue_price(instance, region, spot)
    found = found if found is not None else package.instance_prices.get(instance)
    if found is None:
        raise Refusal("NoPrice", f"no price is known for {instance} in {region}")
    return found


def gpus_of(instance: str) -> int:
    """How many accelerators the market's machine has; 0 = none, or not known."""
    return max((int(row.gpus) for row in _catalogue().of_type(instance)), default=0)


@cache
def _catalogue_price(instance: str, region: str, spot: bool) -> float | None:
    return _catalogue().price_of(instance, region, spot)


@cache
def _catalogue() -> Catalog:
    return Catalog.load(_market.get("folder"))


_market: dict[str, Path] = {}

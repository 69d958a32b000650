"""What leftovers cost: by the rules of each cloud's data file, and the prices in `prices.yaml`.

A rule is 0, or one of

    {price: NAME}                        so much, each
    {price: NAME, of: PATH, unit: 1e-9}  times a number, or the length of a list, in what the cloud
                                         says of the thing
    {price: {by: PATH, VALUE: NAME}, …}  by a kind (0 is free); of others the price is not known
    {…, of: PATH, without: 0}            where there is no such number
    {machine: PATH, spot: PATH}          by the market's catalogue
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from colony.market.catalog import Catalog

__all__ = ["price_of", "prices"]

HOURS = {"hour": 1.0, "gb_month": 730.0}


def price_of(cloud: str, rule: Any, described: Any, region: str) -> float | None:
    """USD per hour; None = unknown."""
    if not isinstance(rule, dict):
        return float(rule)
    price = _each(cloud, rule, described, region)
    if price is None or "of" not in rule:
        return price
    amount = _at(rule["of"], described)
    if amount is None:
        return float(rule["without"]) if "without" in rule else None
    return price * float(len(amount) if isinstance(amount, list) else amount) * _unit(rule)


@cache
def prices(cloud: str) -> dict[str, dict[str, Any]]:
    """Name -> price, unit, sources and date."""
    found = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return dict(found[cloud])


def _each(cloud: str, rule: dict[str, Any], described: Any, region: str) -> float | None:
    if "machine" in rule:
        machine = str(_at(rule["machine"], described)).rsplit("/", 1)[-1]
        spot = str(_at(rule["spot"], described)).lower() == "spot"
        return _machine(machine, region, spot)
    name = rule["price"]
    if isinstance(name, dict):
        kind = str(_at(name["by"], described)).rsplit("/", 1)[-1]
        name = name.get(kind)
    if not name:
        return None if name is None else 0.0
    price = prices(cloud)[name]
    return float(price["usd"]) / HOURS[price["per"]]


def _machine(kind: str, region: str, spot: bool) -> float | None:
    price = _catalog().price_of(kind, region, spot)
    return price if price is not None or not spot else _catalog().price_of(kind, region)


def _at(path: str, value: Any) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _unit(rule: Mapping[str, Any]) -> float:
    return float(rule.get("unit", 1))


@cache
def _catalog() -> Catalog:
    from colony.market.catalog import Catalog

    return Catalog.load(None)

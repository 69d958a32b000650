"""Azure: the public list of retail prices, asked for one machine size at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from colony.market.rows import Row
from colony.prices.errors import Refused
from colony.prices.facts import Machine, machines, source_facts
from colony.prices.wish import Wish

__all__ = ["fetch"]

_MOST_PAGES = 200


def fetch(wish: Wish) -> list[Row]:
    """No account is needed. Raises Refused."""
    sizes = machines("azure")
    rows: list[Row] = []
    for number, (name, machine) in enumerate(sizes.items(), 1):
        wish.tell(f"{name} ({number} of {len(sizes)})")
        rows += _rows(_items(wish, name), name, machine, wish.regions)
    return rows


def _items(wish: Wish, name: str) -> Iterator[dict[str, Any]]:
    """Page after page; only the query of a next page's address is followed, never to a host."""
    asked = (
        "serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and "
        f"armSkuName eq '{name}'"
    )
    url = f"{wish.url}?$filter={quote(asked)}"
    for _ in range(_MOST_PAGES):
        page = wish.web.json(url)
        items, more = page.get("Items"), page.get("NextPageLink")
        if not isinstance(items, list):
            raise Refused(f"{name}: no `Items` in the answer: the format has changed")
        yield from items
        if not more:
            return
        url = f"{wish.url}?{urlsplit(str(more)).query}"
    raise Refused(f"{name}: more than {_MOST_PAGES} pages")


def _rows(
    items: Iterator[dict[str, Any]], name: str, machine: Machine, regions: tuple[str, ...]
) -> Iterator[Row]:
    facts = source_facts()["azure"]
    for item in items:
        words = f"{item.get('productName')} {item.get('meterName')} {item.get('skuName')}"
        region = item.get("armRegionName")
        if any(word in words for word in facts["without"]) or not region:
            continue
        if regions and region not in regions:
            continue
        price, spot = _price(item, name, facts["unit"]), "Spot" in words
        yield Row(
            cloud="azure", region=region, zone="", instance_type=name,
            accelerator=machine.accelerator, gpus=machine.gpus, cpus=machine.cpus,
            memory_gib=machine.memory_gib, gpu_memory_gib=None,
            price=None if spot else price, spot_price=price if spot else None,
            arch="x86_64", date="",
        )  # fmt: skip


def _price(item: dict[str, Any], name: str, unit: str) -> float | None:
    if item.get("unitOfMeasure") != unit:
        raise Refused(f"{name} is priced by `{item.get('unitOfMeasure')}`, not by `{unit}`")
    if item.get("currencyCode") != "USD":
        raise Refused(f"{name} is priced in `{item.get('currencyCode')}`, not in USD")
    price = item.get("retailPrice")
    if not isinstance(price, (int, float)):
        raise Refused(f"{name}: `{price}` is not a price")
    return float(price) or None

"""GCP: the SKUs of Compute Engine. A machine costs what its cores, memory, GPUs and the local disks
that it always has cost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from colony.market.rows import Row
from colony.prices.errors import Refused
from colony.prices.facts import Machine, machine_facts, machines, source_facts
from colony.prices.wish import Wish
from jobs.errors import NotReady

__all__ = ["KEY", "fetch"]

KEY = "GOOGLE_API_KEY"
_MOST_PAGES = 200
_USE = {"OnDemand": False, "Preemptible": True}
_PART = re.compile(
    r"^(?:Spot Preemptible )?(?P<what>.+? (?:Core|Ram|GPU)|SSD backed Local Storage)\b",
    re.IGNORECASE,
)
_DISK = "ssd backed local storage"
_HOURS_A_MONTH = 730


@dataclass
class _Prices:
    """(part, region, spot) -> USD per hour of one core, GiB or GPU."""

    known: dict[tuple[str, str, bool], float] = field(default_factory=dict)

    @property
    def regions(self) -> list[str]:
        return sorted({region for _, region, _ in self.known})

    def of(
        self, family: dict[str, str], machine: Machine, disk_gib: float, where: tuple[str, bool]
    ) -> float | None:
        """None where any part has no price."""
        parts = [
            (family["core"], machine.cpus),
            (family["ram"], machine.memory_gib),
            (family.get("gpu", ""), machine.gpus),
            (_DISK, disk_gib),
        ]
        usd = [
            (self.known.get((part.casefold(), *where)), amount) for part, amount in parts if amount
        ]
        known = [price * amount for price, amount in usd if price is not None]
        return round(sum(known), 6) if len(known) == len(usd) else None


def fetch(wish: Wish) -> list[Row]:
    """Raises Refused, and NotReady without an API key."""
    if not wish.key:
        raise NotReady(f"{KEY} is not set: the price list of GCP is given for an API key")
    prices = _Prices()
    for sku in _skus(wish):
        _add(prices, sku)
    families = machine_facts()["gcp"]
    rows: list[Row] = []
    for name, machine in machines("gcp_machines").items():
        family = families[name.rpartition("-")[0]]
        rows += _rows(prices, name, machine, family, wish.regions)
    return rows


def _skus(wish: Wish) -> Iterator[dict[str, Any]]:
    """The key is in a header: messages show addresses."""
    token = ""
    for number in range(1, _MOST_PAGES + 1):
        wish.tell(f"page {number}")
        query = f"?pageSize=5000&pageToken={quote(token)}"
        page = wish.web.json(f"{wish.url}{query}", {"X-Goog-Api-Key": wish.key})
        if not isinstance(page.get("skus"), list):
            raise Refused("no `skus` in the answer: the format has changed")
        yield from page["skus"]
        token = str(page.get("nextPageToken") or "")
        if not token:
            return
    raise Refused(f"more than {_MOST_PAGES} pages")


def _add(prices: _Prices, sku: dict[str, Any]) -> None:
    description, category = str(sku.get("description", "")), sku.get("category") or {}
    spot = _USE.get(str(category.get("usageType")))
    found = _PART.match(description)
    if spot is None or not found or category.get("resourceFamily") not in ("Compute", "Storage"):
        return
    if any(word in description for word in source_facts()["gcp"]["without"]):
        return
    part = found["what"].casefold()
    if part not in _wanted():
        return
    price = _hourly(sku, description, part)
    for region in sku.get("serviceRegions") or ():
        prices.known[part, region, spot] = price


def _hourly(sku: dict[str, Any], description: str, part: str) -> float:
    unit = source_facts()["gcp"]["units"][part.rpartition(" ")[2]]
    try:
        expression = sku["pricingInfo"][0]["pricingExpression"]
        rate = expression["tieredRates"][-1]["unitPrice"]
        price = int(rate.get("units") or 0) + int(rate.get("nanos") or 0) / 1e9
        currency, given = rate.get("currencyCode", "USD"), expression["usageUnit"]
    except (KeyError, IndexError, TypeError, ValueError):
        raise Refused(f"{description}: no price in it: the format has changed") from None
    if given != unit:
        raise Refused(f"{description} is priced by `{given}`, not by `{unit}`")
    if currency != "USD":
        raise Refused(f"{description} is priced in `{currency}`, not in USD")
    return price / _HOURS_A_MONTH if part == _DISK else price


def _wanted() -> frozenset[str]:
    families = machine_facts()["gcp"].values()
    return frozenset(
        {_DISK, *(phrase.casefold() for family in families for phrase in family.values())}
    )


def _rows(
    prices: _Prices,
    name: str,
    machine: Machine,
    family: dict[str, str],
    regions: tuple[str, ...],
) -> Iterator[Row]:
    for region in prices.regions:
        if regions and region not in regions:
            continue
        disk = machine_facts()["gcp_local_ssd_gib"].get(name, 0)
        price, spot = (prices.of(family, machine, disk, (region, spot)) for spot in (False, True))
        if price is None and spot is None:
            continue
        yield Row(
            cloud="gcp", region=region, zone="", instance_type=name,
            accelerator=machine.accelerator, gpus=machine.gpus, cpus=machine.cpus,
            memory_gib=machine.memory_gib, gpu_memory_gib=None, price=price, spot_price=spot,
            arch="x86_64", date="",
        )  # fmt: skip

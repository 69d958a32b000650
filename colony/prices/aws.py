"""AWS: the bulk price list of EC2, a region at a time, and the prices of spot machines."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from colony.market.rows import Row
from colony.prices.errors import Refused
from colony.prices.facts import machine_facts, source_facts
from colony.prices.wish import Wish

__all__ = ["fetch"]

_ABOVE_THE_HEADER = 5
_COLUMNS = ("Instance Type", "vCPU", "Memory", "GPU", "PricePerUnit", "Unit", "Region Code")


def fetch(wish: Wish, client: Any = None) -> list[Row]:
    """List prices need no account. Spot prices are asked for with the account's own credentials,
    where there are any; `client` makes the client of a region, default boto3's. Raises Refused.
    """
    rows: list[Row] = []
    for region in wish.regions or source_facts()["aws"]["regions"]:
        wish.tell(f"price list of {region}")
        listed = list(_listed(wish.web.lines(f"{wish.url}/{region}/index.csv"), region))
        rows += listed + _spot(wish, region, listed, client or _boto)
    return rows


def _listed(lines: Iterable[str], region: str) -> Iterator[Row]:
    facts = source_facts()["aws"]
    below = itertools.islice(lines, _ABOVE_THE_HEADER, None)
    header = next(csv.reader(below), [])
    missing = [name for name in (*_COLUMNS, *facts["only"]) if name not in header]
    if missing:
        message = f"lacks the columns {', '.join(missing)}: the format has changed"
        raise Refused(f"price list of {region}: {message}")
    # The list has a million rows: most are left out before they are taken apart.
    likely = (line for line in below if '"Linux"' in line and '"OnDemand"' in line)
    for cells in csv.reader(likely):
        if len(cells) != len(header):
            raise Refused(f"price list of {region}: a row without its end: cut off")
        row = dict(zip(header, cells, strict=True))
        if all(row[name] in values for name, values in facts["only"].items()):
            yield from _row(row, region, facts["unit"])


def _row(row: dict[str, str], region: str, unit: str) -> Iterator[Row]:
    name = row["Instance Type"]
    family = name.partition(".")[0]
    facts = machine_facts()["aws"]
    accelerator = facts["accelerators"].get(family, "")
    if not accelerator and (family not in facts["cpu"] or row["GPU"] not in ("", "0")):
        return
    if row["Unit"] != unit:
        raise Refused(f"{name} in {region} is priced by `{row['Unit']}`, not by `{unit}`")
    try:
        price, gpus = float(row["PricePerUnit"]), float(row["GPU"] or 0)
        cpus, memory = float(row["vCPU"]), float(row["Memory"].removesuffix(" GiB"))
    except ValueError as error:
        raise Refused(f"{name} in {region}: {error}") from None
    if not price or (accelerator and not gpus):
        return  # sold as capacity blocks only, or a share of a GPU
    yield Row(
        cloud="aws", region=region, zone="", instance_type=name, accelerator=accelerator,
        gpus=gpus, cpus=cpus, memory_gib=memory, gpu_memory_gib=None, price=price,
        spot_price=None, arch="arm64" if family in facts["arm"] else "x86_64", date="",
    )  # fmt: skip


def _spot(wish: Wish, region: str, listed: list[Row], client: Any) -> list[Row]:
    """A row for each zone that sells the machine now."""
    kinds = {row.instance_type: row for row in listed}
    try:
        ec2 = client(region)
        pages = ec2.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=sorted(kinds),
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(timezone.utc),
        )
        now = {
            (item["InstanceType"], item["AvailabilityZone"]): float(item["SpotPrice"])
            for page in pages
            for item in page["SpotPriceHistory"]
        }
    except Exception as error:  # botocore makes its classes as it goes; without spot is well too
        wish.tell(f"no spot prices of {region}: {error}")
        return []
    return [
        kinds[name]._replace(zone=zone, spot_price=price)
        for (name, zone), price in sorted(now.items())
        if name in kinds
    ]


def _boto(region: str) -> Any:
    import boto3

    return boto3.client("ec2", region_name=region)

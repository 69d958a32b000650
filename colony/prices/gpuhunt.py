"""gpuhunt's published catalogue: one archive with a CSV file for each of its clouds."""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from colony.market.rows import Row
from colony.prices.errors import Refused
from colony.prices.facts import source_facts
from colony.prices.wish import Wish
from jobs.accelerators import of_memory

__all__ = ["fetch"]


def fetch(wish: Wish) -> list[Row]:
    """The newest version, all clouds of it. Raises Refused."""
    version = wish.web.read(f"{wish.url}/version").decode("utf-8", "replace").strip()
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", version):
        raise Refused(f"{wish.url}/version: not the name of a version")
    wish.tell(f"version {version}")
    data = wish.web.read(f"{wish.url}/{version}/catalog.zip")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [row for name in sorted(archive.namelist()) for row in _file(archive, name)]
    except (zipfile.BadZipFile, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"catalog.zip: broken, or cut off: {error}") from None


def _file(archive: zipfile.ZipFile, name: str) -> Iterator[Row]:
    facts = source_facts()["gpuhunt"]
    provider, _, suffix = name.rpartition(".")
    if suffix != "csv":
        return
    with archive.open(name) as file:
        reader = csv.DictReader(io.TextIOWrapper(file, "utf-8"))
        missing = [each for each in facts["columns"] if each not in (reader.fieldnames or ())]
        if missing:
            raise Refused(f"{name}: lacks the columns {', '.join(missing)}: the format has changed")
        for cells in reader:
            if None in cells.values() or None in cells:
                raise Refused(f"{name}:{reader.line_num}: a row without its end")
            yield _row(facts["clouds"].get(provider, provider), cells, f"{name}:{reader.line_num}")


def _row(cloud: str, cells: dict[str, Any], where: str) -> Row:
    try:
        count = _number(cells["gpu_count"]) or 0
        memory = _number(cells["gpu_memory"])
        price = _number(cells["price"])
        cpus, size = _number(cells["cpu"]), _number(cells["memory"])
    except ValueError as error:
        raise Refused(f"{where}: {error}") from None
    if price is not None and not (math.isfinite(price) and price > 0):
        price = None
    spot = cells["spot"].strip().lower() == "true"
    region, zone = _place(cloud, cells["location"])
    name = cells["gpu_name"].strip()
    return Row(
        cloud=cloud, region=region, zone=zone, instance_type=cells["instance_name"],
        accelerator=of_memory(name, memory) if name and count else "", gpus=count,
        cpus=cpus, memory_gib=size, gpu_memory_gib=memory if count else None,
        price=None if spot else price, spot_price=price if spot else None,
        arch="arm64" if cells.get("cpu_arch") == "arm" else "x86_64", date="",
    )  # fmt: skip


def _place(cloud: str, location: str) -> tuple[str, str]:
    if cloud in source_facts()["gpuhunt"]["zones"]:
        return location.rpartition("-")[0], location
    return location, ""


def _number(text: str) -> float | None:
    return float(text) if text.strip() else None

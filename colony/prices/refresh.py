"""`colony prices refresh`: fetch, check, and only then replace."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from colony.market.catalog import Catalog
from colony.market.facts import DATA, known_clouds
from colony.market.reader import read_csv
from colony.market.refreshed import prices_folder, sources_of
from colony.market.rows import Row
from colony.prices import aws, azure, gcp, gpuhunt
from colony.prices.check import check
from colony.prices.errors import Refused
from colony.prices.facts import source_facts
from colony.prices.files import merged, write
from colony.prices.web import Tell, Web
from colony.prices.wish import Wish
from jobs.errors import InputError, Problem
from jobs.problems import did_you_mean, printable

__all__ = ["SOURCES", "Kept", "Refreshed", "refresh"]

SOURCES: dict[str, Callable[[Wish], list[Row]]] = {
    "gpuhunt": gpuhunt.fetch,
    "aws": aws.fetch,
    "azure": azure.fetch,
    "gcp": gcp.fetch,
}


@dataclass(frozen=True)
class Kept:
    """One cloud's new file."""

    cloud: str
    path: Path
    rows: int
    warnings: list[Problem]


@dataclass
class Refreshed:
    """What was replaced, and what was not."""

    kept: list[Kept] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def refresh(
    source: str,
    tell: Tell,
    today: date,
    folder: Path | None = None,
    url: str = "",
    regions: Sequence[str] = (),
    web: Web | None = None,
) -> Refreshed:
    """The source's newest prices in the user's folder, a file for each cloud.

    A cloud whose prices cannot be right is refused, and its old file stays. Raises Refused where
    the whole answer is, InputError for an unknown source, NotReady without a key.
    """
    if source not in SOURCES:
        hint = did_you_mean(source, SOURCES, f"known: {', '.join(SOURCES)}")
        raise InputError(Problem("--from", f"unknown source {printable(source)}", hint))
    folder = folder or prices_folder()
    key = os.environ.get(gcp.KEY, "") if source == "gcp" else ""
    where = url.rstrip("/") or source_facts()[source]["url"]
    wish = Wish(web or Web(tell), where, tell, tuple(regions), key)
    by_cloud: dict[str, list[Row]] = {}
    for row in merged(SOURCES[source](wish)):
        by_cloud.setdefault(row.cloud, []).append(row)
    if not by_cloud:
        raise Refused(f"{source}: no price in the answer")
    return _replaced(by_cloud, source, folder, today, regions)


def _replaced(
    by_cloud: dict[str, list[Row]],
    source: str,
    folder: Path,
    today: date,
    regions: Sequence[str],
) -> Refreshed:
    known = _known()
    done = Refreshed()
    for cloud, rows in sorted(by_cloud.items()):
        try:
            if cloud not in known_clouds():
                raise Refused(f"{cloud}: no cloud that we know")
            old = [row for row in known.rows if row.cloud == cloud]
            check(cloud, rows, old, _before(folder, cloud, source, regions))
            done.kept.append(_kept(folder / cloud, f"{today}.{source}.csv", cloud, rows))
        except Refused as refusal:
            done.refused.append(str(refusal))
    return done


def _known() -> Catalog:
    """A kept file that cannot be read any more must not be in the way of the one to replace it."""
    try:
        return Catalog.load()
    except InputError:
        return Catalog.load(DATA)


def _before(folder: Path, cloud: str, source: str, regions: Sequence[str]) -> list[Row]:
    """What the source said last, of the regions asked for; nothing where that cannot be read."""
    files = sources_of(folder, cloud, source)
    try:
        rows = read_csv(files[-1], cloud, str)[0] if files else []
    except InputError:
        return []
    return [row for row in rows if not regions or row.region in regions]


def _kept(folder: Path, name: str, cloud: str, rows: list[Row]) -> Kept:
    """Read back as plans will read it, before it takes the old file's place."""
    beside = folder / f".{name}.{os.getpid()}"
    try:
        write(beside, rows)
        read, warnings = read_csv(beside, cloud, lambda region: "")
        if len(read) < len(rows) / 2:
            why = f", the first for: {warnings[0].message}" if warnings else ""
            raise Refused(f"{cloud}: {len(rows) - len(read)} of {len(rows)} rows are wrong{why}")
        os.replace(beside, folder / name)
    except InputError as error:
        raise Refused(f"{cloud}: {error}") from None
    finally:
        beside.unlink(missing_ok=True)
    return Kept(cloud, folder / name, len(read), warnings)

"""Prices, loaded once and indexed. Every figure carries the date at which it was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from colony.market.facts import DATA, known_clouds, load_yaml
from colony.market.hosts import join_hosts
from colony.market.lanes import Kinds, Lane
from colony.market.reader import read_csv
from colony.market.refreshed import newest
from colony.market.rows import Row, kind, total
from jobs.errors import InputError, Problem
from jobs.problems import did_you_mean

__all__ = ["Catalog"]


class Catalog:
    """The rows of every cloud. `warnings` says what was refused or mended while reading."""

    def __init__(self, rows: Iterable[Row], warnings: Iterable[Problem] = ()) -> None:
        self.rows: tuple[Row, ...] = tuple(dict.fromkeys(rows))
        self.warnings = list(warnings)
        self._by_accelerator: dict[str, list[Row]] = {}
        self._by_type: dict[str, list[Row]] = {}
        self._by_kind: dict[tuple[int, str], Kinds] = {}
        self.notes: dict[object, Any] = {}
        """What others worked out of these rows, which never change."""
        self._sorted: dict[tuple[int, str, bool], list[Row]] = {}
        for row in self.rows:
            self._by_accelerator.setdefault(row.accelerator.casefold(), []).append(row)
            self._by_type.setdefault(row.instance_type.casefold(), []).append(row)

    def _ranked(self, index: dict[str, list[Row]], key: str, spot: bool) -> list[Row]:
        cached = self._sorted.get((id(index), key, spot))
        if cached is None:
            cached = sorted(index.get(key, []), key=lambda row: _rank(row, spot))
            self._sorted[id(index), key, spot] = cached
        return cached

    @classmethod
    def load(cls, folder: Path | None = None) -> Catalog:
        """The user's folder; without one, what `colony prices refresh` has kept, and our own dated
        starter catalogue of the clouds that it has not.

        A folder holds `<cloud>.csv` or `<cloud>/vms.csv` in SkyPilot's v8 columns, and may hold
        `catalog.yaml` with the dates. Our table of CPU machines fills in what it lacks.
        Raises InputError (file:line:column).
        """
        ours, ours_warned = _load_folder(DATA / "cpu", _dates(DATA, "cpu"))
        if folder:
            rows, warned = _load_folder(folder, _dates(folder, "clouds"))
        else:
            rows, warned = _load_kept()
        known = {(row.instance_type, row.region) for row in rows}
        extra = [row for row in ours if (row.instance_type, row.region) not in known]
        return cls(rows + extra, warned + ours_warned)

    @cached_property
    def date(self) -> str:
        """The oldest date of all prices; empty when any has none."""
        return min((row.date for row in self.rows), default="")

    @cached_property
    def clouds(self) -> list[str]:
        return sorted({row.cloud for row in self.rows})

    @cached_property
    def regions(self) -> dict[str, list[str]]:
        """Those of each cloud."""
        pairs = sorted({(row.cloud, row.region) for row in self.rows})
        return {cloud: [region for _, region in group] for cloud, group in groupby(pairs, _cloud)}

    @cached_property
    def accelerators(self) -> list[str]:
        return sorted({row.accelerator for row in self.rows if row.accelerator})

    @cached_property
    def instance_types(self) -> list[str]:
        return sorted({row.instance_type for row in self.rows})

    def with_accelerator(self, name: str, spot: bool = False) -> list[Row]:
        """Rows of this accelerator in any count, the cheapest first, unknown prices last; an
        empty name: machines without one."""
        return self._ranked(self._by_accelerator, name.casefold(), spot)

    def of_type(self, instance_type: str, spot: bool = False) -> list[Row]:
        """Rows of this machine type, in the same order."""
        return self._ranked(self._by_type, instance_type.casefold(), spot)

    def kinds_with(self, accelerator: str) -> Kinds:
        """The rows of this accelerator by kind of machine, see `rows.kind`; in no order."""
        return self._kinds(self._by_accelerator, accelerator.casefold())

    def kinds_of(self, instance_type: str) -> Kinds:
        """The same of this machine type."""
        return self._kinds(self._by_type, instance_type.casefold())

    def _kinds(self, index: dict[str, list[Row]], key: str) -> Kinds:
        cached = self._by_kind.get((id(index), key))
        if cached is None:
            kinds: dict[object, list[Row]] = {}
            for row in index.get(key, []):
                kinds.setdefault(kind(row), []).append(row)
            cached = self._by_kind[id(index), key] = [Lane(rows) for rows in kinds.values()]
        return cached

    def price_of(self, instance_type: str, region: str, spot: bool = False) -> float | None:
        """USD per machine-hour, the cheapest zone's; None = unknown."""
        prices = (row.price_as(spot) for row in self.of_type(instance_type) if row.region == region)
        return min((price for price in prices if price is not None), default=None)


_DateOf = Callable[[str], str]


def _load_folder(
    folder: Path, date_of: Callable[[str], _DateOf]
) -> tuple[list[Row], list[Problem]]:
    rows: list[Row] = []
    warnings: list[Problem] = []
    files = _files(folder, warnings)
    for cloud, path in files:
        found, warned = _load_file(path, cloud, date_of(cloud))
        rows += found
        warnings += warned
    if not files:
        raise InputError(
            Problem(str(folder), "has no catalogue", "put <cloud>.csv files there, e.g. aws.csv"),
            file=str(folder),
        )
    return rows, warnings


def _load_kept() -> tuple[list[Row], list[Problem]]:
    """A cloud whose refreshed file cannot be read is refused, not replaced by older prices."""
    kept = newest()
    date_of = _dates(DATA, "clouds")
    warnings: list[Problem] = []
    files = {cloud: (path, date_of(cloud)) for cloud, path in _files(DATA, warnings)}
    files |= {cloud: (path, _always(day)) for cloud, (path, day) in kept.items()}
    rows: list[Row] = []
    for cloud, (path, when) in sorted(files.items()):
        found, warned = _load_file(path, cloud, when)
        rows += found
        warnings += warned
    return rows, warnings


def _always(day: str) -> _DateOf:
    return lambda region: day


def _load_file(path: Path, cloud: str, date_of: _DateOf) -> tuple[list[Row], list[Problem]]:
    read, warned = read_csv(path, cloud, date_of)
    joined, homeless = join_hosts(read, str(path))
    return joined, warned + homeless


def _files(folder: Path, warnings: list[Problem]) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder"), file=str(folder))
    found = {path.parent.name: path for path in sorted(folder.glob("*/vms.csv"))}
    found |= {path.stem: path for path in sorted(folder.glob("*.csv"))}
    for name in sorted(set(found) - known_clouds()):
        hint = did_you_mean(name, known_clouds(), "call it after its cloud, aws.csv")
        warnings.append(Problem(str(found.pop(name)), f"`{name}` is no cloud: not read", hint))
    return sorted(found.items())


def _dates(folder: Path, part: str) -> Callable[[str], _DateOf]:
    """cloud -> region -> ISO date, from the folder's `catalog.yaml` where it has one."""
    path = folder / "catalog.yaml"
    facts = _date_file(path).get(part) or {}

    def of_cloud(cloud: str) -> _DateOf:
        known = facts.get(cloud) or {}
        common = _iso(known.get("date"), path, cloud)
        by_region = {
            region: _iso(value, path, f"{cloud}.{region}")
            for region, value in (known.get("regions") or {}).items()
        }
        return lambda region: by_region.get(region, common)

    return of_cloud


def _date_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        facts = load_yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), f"is not YAML: {error}"), file=str(path)) from error
    parts = facts.values() if isinstance(facts, dict) else [None]
    entries = [entry for part in parts if isinstance(part, dict) for entry in part.values()]
    if not all(isinstance(entry, dict) for entry in [*parts, *entries]):
        message = "must be clouds: {aws: {date: 2026-01-31, regions: {us-east-1: 2026-02-01}}}"
        raise InputError(Problem(str(path), message), file=str(path))
    return dict(facts)


def _iso(value: object, path: Path, where: str) -> str:
    if value is None:
        return ""
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        problem = Problem(f"{path}:{where}", f"`{value}` is not a date", "write 2026-01-31")
        raise InputError(problem, file=str(path)) from None


def _cloud(pair: tuple[str, str]) -> str:
    return pair[0]


def _rank(row: Row, spot: bool) -> tuple[bool, float, tuple[str, ...]]:
    price = row.price_as(spot)
    return (price is None, price or 0.0, total(row))

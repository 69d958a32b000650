"""One catalogue file -> checked rows. Structure that is wrong is an error; a value that is wrong
refuses its row, aloud."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from colony.market.gpu_info import GpuFault, gpu_memory_gib
from colony.market.rows import Row
from jobs.accelerators import find
from jobs.errors import InputError, Problem
from jobs.problems import did_you_mean

__all__ = ["read_csv"]

REQUIRED = (
    "InstanceType", "AcceleratorName", "AcceleratorCount", "vCPUs", "MemoryGiB", "Price", "Region",
)  # fmt: skip
OPTIONAL = ("GpuInfo", "SpotPrice", "AvailabilityZone", "Arch", "Generation")

_MANY = 20


class _Refused(ValueError):
    """This row cannot be used; the rest of the file can."""

    def __init__(self, column: str, message: str) -> None:
        self.column = column
        super().__init__(message)


def read_csv(
    path: Path, cloud: str, date_of: Callable[[str], str]
) -> tuple[list[Row], list[Problem]]:
    """Rows and warnings (`file:line:column`). An empty instance type stays: see `hosts`.

    Raises InputError: no such file, no CSV, columns missing, a number that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _File(path, cloud, date_of).read(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(Problem(str(path), f"cannot be read: {error}"), file=str(path)) from error


class _File:
    def __init__(self, path: Path, cloud: str, date_of: Callable[[str], str]) -> None:
        self.path, self.cloud, self.date_of = path, cloud, date_of
        self.warnings: list[Problem] = []
        self.errors: list[Problem] = []
        self.at: dict[str, int] = {}
        self.line = 1

    def read(self, reader: Iterator[list[str]]) -> tuple[list[Row], list[Problem]]:
        header = [name.strip() for name in next(reader, [])]
        self._columns(header)
        rows = []
        for cells in reader:
            self.line = reader.line_num  # type: ignore[attr-defined]
            if cells and (row := self._row(cells, len(header))):
                rows.append(row)
            if len(self.errors) >= _MANY:
                break
        if self.errors:
            raise InputError(*self.errors, file=str(self.path))
        return rows, self.warnings

    def _columns(self, header: list[str]) -> None:
        missing = [name for name in REQUIRED if name not in header]
        if missing or len(set(header)) != len(header):
            what = f"lacks {', '.join(missing)}" if missing else "names a column twice"
            hint = f"the columns are {', '.join(REQUIRED + OPTIONAL)}"
            raise InputError(
                Problem(f"{self.path}:1", f"the header {what}", hint), file=str(self.path)
            )
        for name in header:
            if name not in REQUIRED + OPTIONAL:
                self._warn(name, "is not read", did_you_mean(name, OPTIONAL))
        self.at = {name: place for place, name in enumerate(header)}

    def _row(self, cells: list[str], width: int) -> Row | None:
        if len(cells) != width:
            self._fail("", f"{len(cells)} fields, but the header has {width}")
            return None
        try:
            return self._checked(cells)
        except _Refused as fault:
            self._warn(fault.column, f"{fault}: the row is refused")
        except GpuFault as fault:
            self._warn("GpuInfo", f"{fault}: the row is refused")
        return None

    def _checked(self, cells: list[str]) -> Row:
        region, name = self._text(cells, "Region"), _canonical(self._text(cells, "AcceleratorName"))
        if not region:
            raise _Refused("Region", "there is no region")
        count = self._size(cells, "AcceleratorCount") if name else 0.0
        if name and not count:
            raise _Refused("AcceleratorCount", f"there is no count of {name}")
        memory, mended = gpu_memory_gib(name, count or 0, self._text(cells, "GpuInfo"))
        for what in mended:
            self._warn("GpuInfo", what)
        return Row(
            cloud=self.cloud,
            region=region,
            zone=self._text(cells, "AvailabilityZone"),
            instance_type=self._text(cells, "InstanceType"),
            accelerator=name,
            gpus=count or 0,
            cpus=self._size(cells, "vCPUs"),
            memory_gib=self._size(cells, "MemoryGiB"),
            gpu_memory_gib=memory,
            price=self._price(cells, "Price"),
            spot_price=self._price(cells, "SpotPrice"),
            arch=self._text(cells, "Arch") or "x86_64",
            date=self.date_of(region),
        )

    def _text(self, cells: list[str], column: str) -> str:
        place = self.at.get(column)
        return cells[place].strip() if place is not None else ""

    def _number(self, cells: list[str], column: str) -> float | None:
        text = self._text(cells, column)
        if not text:
            return None
        try:
            return float(text)
        except ValueError:
            self._fail(column, f"`{text[:40]}` is not a number")
            return None

    def _size(self, cells: list[str], column: str) -> float | None:
        value = self._number(cells, column)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise _Refused(column, f"{value:g} is not a size")
        return value

    def _price(self, cells: list[str], column: str) -> float | None:
        """None = unknown: empty, or NaN or zero, which is said aloud."""
        value = self._number(cells, column)
        if value is None:
            return None
        if math.isnan(value) or value == 0:
            self._warn(column, f"a price of {value:g} is taken as unknown")
            return None
        if value < 0 or math.isinf(value):
            raise _Refused(column, f"{value:g} is not a price")
        return value

    def _warn(self, column: str, message: str, hint: str = "") -> None:
        self.warnings.append(Problem(self._where(column), message, hint))

    def _fail(self, column: str, message: str) -> None:
        self.errors.append(Problem(self._where(column), message))

    def _where(self, column: str) -> str:
        return f"{self.path}:{self.line}" + (f":{column}" if column else "")


@cache
def _canonical(name: str) -> str:
    """As requests name it; a name that we do not know stays as it is."""
    found = find(name)
    return found.name if found else name

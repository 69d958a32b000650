"""The forms of `accelerators`: one, a set, an ordered list, and memory instead of a name.

A set is read by YAML as a mapping to nothing: `{A100:1, V100:1}` has the keys `A100:1`, `V100:1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jobs.accelerators import Accelerator, find, known
from jobs.data import load
from jobs.errors import Problem
from jobs.problems import did_you_mean, printable, refuse
from jobs.quantities import format_accelerators, name_and_count, parse_accelerators

__all__ = ["Gpus", "Wanted", "wanted"]

_HINT = "write it like H100:8"
_BY_MEMORY = re.compile(
    r"(?:(?P<vendor>[^:\s]*):)?(?P<size>\d+)(?P<unit>[MGT])B(?P<more>\+?)(?::(?P<count>[^:]*))?",
    re.IGNORECASE,
)
_GB = {"M": 2.0**-10, "G": 1.0, "T": 2.0**10}


@dataclass(frozen=True)
class Gpus:
    """What a node has of one kind."""

    name: str
    """Canonical; of a TPU, as written."""
    count: float
    unbuilt: str = ""
    """What it is, where nothing here can run on it."""

    @property
    def is_tpu(self) -> bool:
        return self.name.lower().startswith("tpu")

    def __str__(self) -> str:
        return format_accelerators(self.name, self.count)


@dataclass(frozen=True)
class Wanted:
    """The kinds that would do: in order of preference, or any of them. Without duplicates."""

    ordered: bool
    kinds: tuple[Gpus, ...]


def wanted(value: object) -> Wanted:
    """Raises ValueError for what is none of the forms."""
    specs = _specs(value)
    if not specs:
        raise refuse(Problem("", "must name an accelerator and a count, not empty", _HINT))
    kinds = dict.fromkeys(kind for spec in specs for kind in _kinds(spec.strip()))
    return Wanted(isinstance(value, list), tuple(kinds))


def _specs(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [_keyed(key, count) for key, count in value.items()]
    if isinstance(value, (list, set)):
        return [
            _text(item) for item in (value if isinstance(value, list) else sorted(value, key=str))
        ]
    raise refuse(Problem("", f"must name an accelerator and a count, not {value}", _HINT))


def _keyed(key: Any, count: object) -> str:
    if count is None:
        return _text(key)
    if isinstance(count, bool) or not isinstance(count, (int, float)):
        what = f"the count of {printable(key)} must be a number, not {printable(count)}"
        raise refuse(Problem("", what, "write it like {H100: 8}"))
    return f"{_text(key)}:{count}"


def _text(item: object) -> str:
    if not isinstance(item, str):
        what = f"each must be a name and a count, not {printable(item)}"
        raise refuse(Problem("", what, _HINT))
    return item


def _kinds(spec: str) -> Iterable[Gpus]:
    by_memory = _BY_MEMORY.fullmatch(spec)
    if by_memory:
        return _of_memory(by_memory)
    if spec.count(":") > 1:
        what = f"{printable(spec)} has a vendor, but no memory size"
        raise refuse(Problem("", what, "write it like nvidia:80GB:8, or like H100:8"))
    return [_named(spec)]


def _named(spec: str) -> Gpus:
    name, count = name_and_count(spec)
    if Gpus(name, count).is_tpu:
        return Gpus(name, count, f"{printable(name)} (TPUs)")
    found = find(name)
    if found and not found.built:
        return _gpus(found, count)
    return Gpus(*parse_accelerators(spec))


def _of_memory(match: re.Match[str]) -> list[Gpus]:
    """Of one vendor: an image runs on no other."""
    size = int(match["size"]) * _GB[match["unit"].upper()]
    vendor = _vendor(match["vendor"])
    _, count = name_and_count(f"any:{match['count']}" if match["count"] is not None else "any")
    of_vendor = [found for name in known() if (found := find(name)) and found.vendor == vendor]
    fitting = [
        f for f in of_vendor if f.memory_gb == size or (match["more"] and f.memory_gb > size)
    ]
    if not fitting:
        closest = min(of_vendor, key=lambda found: abs(found.memory_gb - size))
        what = f"no {vendor} accelerator has {match['size']}{match['unit'].upper()}B"
        hint = f"the closest is {closest.name} with {closest.memory_gb:g}GB"
        raise refuse(Problem("", what, hint))
    return [_gpus(found, count) for found in fitting]


def _vendor(given: str | None) -> str:
    if given is None:
        return str(load("importers/skypilot.yaml")["vendor"])
    vendors = load("accelerators.yaml")["vendors"]
    if given.lower() not in vendors:
        hint = did_you_mean(given, vendors, f"known: {', '.join(vendors)}")
        raise refuse(Problem("", f"unknown vendor {printable(given)}", hint))
    return given.lower()


def _gpus(found: Accelerator, count: float) -> Gpus:
    unbuilt = "" if found.built else f"{found.name} ({found.vendor} accelerators)"
    return Gpus(found.name, count, unbuilt)

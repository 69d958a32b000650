"""Sizes, times and ports as SkyPilot writes them. All raise ValueError."""

from __future__ import annotations

import re
from typing import Any

from jobs.errors import Problem
from jobs.problems import printable, refuse
from jobs.quantities import parse_memory

__all__ = ["delay", "disk_size", "minutes", "ports"]

_MINUTES = {"": 1, "m": 1, "h": 60, "d": 60 * 24, "w": 60 * 24 * 7}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_LAST_PORT = 65535
_DIGITS = 9


def disk_size(value: object) -> int:
    """Whole GiB of `256` or `256GB`."""
    if isinstance(value, float) or not (isinstance(value, str) or _is_number(value)):
        hint = "write it like 256 or 256GB"
        raise refuse(Problem("", f"must be whole GB, not {printable(value)}", hint))
    size, more = parse_memory(value)
    if more or size != int(size):
        raise refuse(Problem("", f"must be whole GB, not {printable(value)}", "write 256GB"))
    return int(size)


def minutes(value: object) -> int:
    """`10`, `"10"`, `10m`, `10h`, `1d`, `2w`; a number below 0 means never."""
    return _time(value, _MINUTES, "write it like 10 (minutes), 10m, 2h, 1d or 1w", never=True)


def delay(value: object) -> int:
    """Seconds of `30`, `"30s"`, `5m`, `1h`."""
    return _time(value, _SECONDS, "write it like 30 (seconds), 30s, 5m or 1h")


def ports(value: object) -> list[str]:
    """`80`, `8000-8010`, or a list of them."""
    return [_port(each) for each in (value if isinstance(value, list) else [value])]


def _port(value: object) -> str:
    text = str(value) if isinstance(value, str) or _is_number(value) else ""
    match = _PORTS.fullmatch(text.strip())
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else 0
    if not 0 < first <= last <= _LAST_PORT:
        what = f"{printable(value)} is not a port from 1 to {_LAST_PORT}, or a range of them"
        raise refuse(Problem("", what, "write it like 8080 or 8080-8090"))
    return text.strip()


def _time(value: object, units: dict[str, int], hint: str, never: bool = False) -> int:
    if _is_number(value) and isinstance(value, int) and (never or value >= 0):
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    match = re.fullmatch(rf"(\d{{1,{_DIGITS}}})([{''.join(units)}]?)", text)
    if not match:
        raise refuse(Problem("", f"{printable(value)} is not a time", hint))
    return int(match[1]) * units[match[2]]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

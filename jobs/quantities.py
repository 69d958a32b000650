"""Durations, CPUs, memory and accelerators as people write them. All raise ValueError."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import NamedTuple

from jobs.accelerators import canonical
from jobs.errors import Problem
from jobs.problems import printable, refuse, unbuilt

__all__ = [
    "Amount", "format_accelerators", "format_duration", "name_and_count", "parse_accelerators",
    "parse_cpus", "parse_duration", "parse_memory",
]  # fmt: skip

_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST = 400 * 86400
_PART = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(\+?)")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(?:([KMGTP])I?B?)?(\+?)", re.IGNORECASE)
_GIB = {"K": 2.0**-20, "M": 2.0**-10, "G": 1.0, "T": 2.0**10, "P": 2.0**20}
_ACCELERATOR = re.compile(r"([^:\s]+)(?::([^:]*))?")
_BY_MEMORY = re.compile(r"(?:[a-z]+:)?\d+(?:\.\d+)?[KMGT]I?B\+?(?::[\d.]+)?", re.IGNORECASE)

_DURATION_HINT = "write it like 24h, 90m, 2h30m or 30s; a bare number is seconds"
_CPUS_HINT = "write it like 4, or 4+ for at least 4"
_MEMORY_HINT = "write it like 64GB, or 64GB+ for at least 64 GB"
_ACCELERATOR_HINT = "write it like H100:8"


class Amount(NamedTuple):
    """`64` exactly, or `64+` at least."""

    value: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{_plain(self.value)}{'+' if self.at_least else ''}"


def parse_duration(value: object, zero: bool = False) -> int:
    """Seconds of `24h`, `90m`, `2h30m`, `1.5h`, `3600`; `zero` says whether 0 is allowed."""
    seconds = _seconds(value)
    if seconds < 0 or (seconds == 0 and not zero):
        raise refuse(Problem("", f"must be more than 0, not {printable(value)}", _DURATION_HINT))
    if seconds > _LONGEST:
        raise refuse(f"{printable(value)} is longer than {_LONGEST // 86400} days")
    if seconds != int(seconds):
        raise refuse(f"must be whole seconds, not {printable(value)}")
    return int(seconds)


def format_duration(seconds: int) -> str:
    """`9000` -> `2h30m`; the inverse of parse_duration."""
    parts, left = [], seconds
    for unit in "hms":
        count, left = divmod(left, _SECONDS[unit])
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def parse_cpus(value: object) -> Amount:
    """`4`, `"4"`, `4.5`, `"4+"`."""
    match = _AMOUNT.fullmatch(_text(value))
    if not match:
        raise refuse(Problem("", f"{printable(value)} is not a number of CPUs", _CPUS_HINT))
    return _amount(float(match[1]), match[2], value, _CPUS_HINT)


def parse_memory(value: object) -> Amount:
    """GiB of `64`, `"64+"`, `"64GB"`, `"512Mi+"`; all units are powers of 1024, as in SkyPilot."""
    text = _text(value)
    if re.fullmatch(r"[\d.]+x\+?", text):
        raise refuse(unbuilt("memory as a multiple of the CPUs", hint=_MEMORY_HINT))
    match = _MEMORY.fullmatch(text)
    if not match:
        raise refuse(Problem("", f"{printable(value)} is not an amount of memory", _MEMORY_HINT))
    gib = float(match[1]) * _GIB[(match[2] or "G").upper()]
    return _amount(gib, match[3], value, _MEMORY_HINT)


def parse_accelerators(value: object) -> tuple[str, float]:
    """(canonical name, count a node) of `H100:8`, `h100`, `L4:0.5` or `{H100: 8}`.

    The count is an int where it is whole. A choice of several is refused as not built yet.
    """
    text = _single(value)
    if _BY_MEMORY.fullmatch(text):
        raise refuse(unbuilt(f"accelerators by memory ({printable(text)})", "", _ACCELERATOR_HINT))
    name, count = name_and_count(text)
    return canonical(name), count


def name_and_count(text: str) -> tuple[str, float]:
    """(`h100`, 8) of `h100:8`, whether or not the name is known."""
    match = _ACCELERATOR.fullmatch(text)
    if not match:
        what = f"{printable(text)} is not an accelerator and a count"
        raise refuse(Problem("", what, _ACCELERATOR_HINT))
    return match[1], _count(match[2])


def counted(count: int, noun: str) -> str:
    """`1 GPU`, `2 GPUs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_accelerators(name: str, count: float) -> str:
    """`H100:8`; the inverse of parse_accelerators."""
    return f"{name}:{_plain(count)}"


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if isfinite(value) else -1
    text = value.strip().lower() if isinstance(value, str) else ""
    if re.fullmatch(r"-?\d{1,15}", text):
        return int(text)
    if not _DURATION.fullmatch(text):
        raise refuse(Problem("", f"{printable(value)} is not a duration", _DURATION_HINT))
    return float(sum(Decimal(n) * _SECONDS[unit] for n, unit in _PART.findall(text)))


def _amount(number: float, plus: str, value: object, hint: str) -> Amount:
    if not 0 < number < 2**30:
        raise refuse(Problem("", f"{printable(value)} is out of range: more than 0", hint))
    return Amount(number, bool(plus))


def _single(value: object) -> str:
    """The one accelerator in a string, a list of one, or a mapping of one."""
    if isinstance(value, (list, dict, set)) and len(value) > 1:
        raise refuse(unbuilt("a choice of several accelerators", hint="name one, like H100:8"))
    if isinstance(value, dict) and value:
        name, count = next(iter(value.items()))
        value = name if count is None else f"{name}:{count}"
    elif isinstance(value, (list, set)) and value:
        value = next(iter(value))
    if not isinstance(value, str):
        what = "empty" if value in ([], {}) else printable(value)
        raise refuse(
            Problem("", f"must name an accelerator and a count, not {what}", _ACCELERATOR_HINT)
        )
    return value.strip()


def _count(text: str | None) -> float:
    if text is None:
        return 1
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) or not float(text):
        what = f"the count must be more than 0, not {printable(text)}"
        raise refuse(Problem("", what, _ACCELERATOR_HINT))
    number = float(text)
    if number == int(number):
        return int(number)
    if number > 1:
        what = f"{text} accelerators: only less than one can be a fraction"
        raise refuse(Problem("", what, _ACCELERATOR_HINT))
    return number


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return ""
    return value.strip() if isinstance(value, str) else _plain(value)


def _plain(number: float) -> str:
    """Without exponent and trailing zeros."""
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

"""Durations that options have."""

from __future__ import annotations

from jobs.errors import InputError, Problem
from jobs.quantities import parse_duration

__all__ = ["seconds_of"]


def seconds_of(option: str, text: str) -> int:
    """`30m` and the like. Raises InputError that names the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InputError(Problem(option, str(error))) from None

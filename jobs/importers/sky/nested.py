"""Models inside values that may be written in several forms: their problems keep their paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from jobs.problems import refuse
from jobs.wording import check

__all__ = ["lowered", "nested", "upper"]

M = TypeVar("M", bound=BaseModel)


def nested(model: type[M]) -> Callable[[object], M]:
    """What makes a model of a value, or raises ValueError with every problem."""

    def convert(value: object) -> M:
        made, problems = check(model, value)
        if made is None:
            raise refuse(*problems)
        return made

    return convert


def lowered(value: object) -> object:
    """Text in lower case: SkyPilot takes the names of choices in any."""
    return value.lower() if isinstance(value, str) else value


def upper(value: object) -> object:
    """Text in upper case."""
    return value.upper() if isinstance(value, str) else value

"""How old prices are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

__all__ = ["age_notes"]

STALE_DAYS = 30


def age_notes(seen: Iterable[tuple[str, str]], today: date | None) -> Iterator[str]:
    """Of (cloud, ISO date): what is stale, undated, or dated on a day to come."""
    for cloud, day in sorted(set(seen)):
        if not day:
            yield f"the prices of {cloud} carry no date"
        elif today and (days := (today - date.fromisoformat(day)).days) > STALE_DAYS:
            yield f"stale: prices of {cloud} are of {day}, {days} days old"
        elif today and days < 0:
            yield f"prices of {cloud} are of {day}, a day to come: is the date right?"

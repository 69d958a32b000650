"""What is asked of a source."""

from __future__ import annotations

from dataclasses import dataclass

from colony.prices.web import Tell, Web

__all__ = ["Wish"]


@dataclass(frozen=True)
class Wish:
    """`regions` empty = the source's own list, or all."""

    web: Web
    url: str
    tell: Tell
    regions: tuple[str, ...] = ()
    key: str = ""

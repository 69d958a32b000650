"""What a cloud's refusal means: of which kind it is, how far it reaches, and for how long.

The codes and texts are data (`errors.yaml`), each with its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Protocol

from jobs.data import parse

__all__ = ["Blocks", "Failure", "Kind", "Offered", "Reach", "classify", "known"]

_EXCERPT = 200
_COUNT = re.compile(r"^\d+ errors? occurred:\s*\*?\s*")
"""How a bridged provider begins to say what went wrong."""


class Kind(str, Enum):
    """Why an attempt failed."""

    ZONE = "zone"
    REGION = "region"
    CLOUD = "cloud"
    CREDENTIAL = "credential"
    REQUEST = "request"
    THROTTLE = "throttle"
    QUOTA = "quota"
    CAPACITY = "capacity"
    HOST = "host"


class Reach(str, Enum):
    """What is not asked again, from narrow to wide."""

    NOTHING = "nothing"
    OFFER = "offer"
    ZONE = "zone"
    TYPE = "type"
    FAMILY = "family"
    REGION = "region"
    CLOUD = "cloud"
    ALL = "all"


class Offered(Protocol):
    """Where something was asked for; an empty zone = the cloud chose one."""

    @property
    def cloud(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def instance_type(self) -> str: ...
    @property
    def accelerator(self) -> str: ...
    @property
    def spot(self) -> bool: ...


@dataclass(frozen=True)
class Failure:
    """One refusal, understood. `hold` is in seconds; with `retry` nothing is blocked."""

    kind: Kind
    reach: Reach
    hold: int
    retry: bool
    code: str
    source: str
    text: str = ""
    wraps: bool = False
    """Another code in the same text is the cause."""


@dataclass
class Blocks:
    """What is not asked for now. Times are seconds of any one clock."""

    _until: dict[tuple[str, ...], float] = field(default_factory=dict)

    def add(self, failure: Failure, offer: Offered, now: float) -> None:
        """Nothing is blocked by what should be asked again."""
        if failure.retry or failure.reach is Reach.NOTHING:
            return
        cell = _cell(failure.reach, offer)
        until = now + failure.hold if failure.reach is not Reach.ALL else float("inf")
        self._until[cell] = max(until, self._until.get(cell, until))

    def without(self, places: Iterable[tuple[str, str]]) -> Blocks:
        """The same, and nothing of these (cloud, region)."""
        blocks = Blocks(dict(self._until))
        for cloud, region in places:
            key = (Reach.REGION.value, cloud, region)
            blocks._until[key] = float("inf")
        return blocks

    def blocked(self, offer: Offered, now: float) -> bool:
        """Whether any block reaches this offer."""
        return any(self._until.get(_cell(reach, offer), now) > now for reach in Reach)

    def free_at(self, offer: Offered) -> float:
        """When the last block of this offer ends; -inf = it is free."""
        return max(
            (self._until.get(_cell(reach, offer), float("-inf")) for reach in Reach),
            default=float("-inf"),
        )

    def ends(self, after: float, until: float) -> list[float]:
        """When blocks end, in order: each time at which something may be asked for again."""
        return sorted({end for end in self._until.values() if after < end <= until})


def classify(cloud: str, text: str) -> Failure:
    """The refusal in an error text. What nobody knows blocks the one offer, for ten minutes."""
    found = [failure for pattern, failure in _patterns(cloud) if pattern.search(text)]
    best = max(found, key=_specific, default=_unknown())
    said = _excerpt(text, best.code)
    return Failure(best.kind, best.reach, best.hold, best.retry, best.code, best.source, said)


def known(cloud: str) -> Iterable[Failure]:
    """Every refusal that the data has for a cloud."""
    return [failure for _, failure in _patterns(cloud)]


def _specific(failure: Failure) -> tuple[bool, bool, int]:
    """Clouds wrap a cause in "your request failed": what only blames the request comes last."""
    return failure.kind is not Kind.REQUEST, not failure.wraps, len(failure.code)


def _unknown() -> Failure:
    return Failure(Kind.CAPACITY, Reach.OFFER, 600, False, "", "")


def _cell(reach: Reach, offer: Offered) -> tuple[str, ...]:
    """The key of a block: its reach, and the coordinates that it holds for."""
    spot = "spot" if offer.spot else "on-demand"
    where = (offer.cloud, offer.region)
    cells: dict[Reach, tuple[str, ...]] = {
        Reach.OFFER: (*where, offer.zone, offer.instance_type, spot),
        Reach.ZONE: (*where, offer.zone),
        Reach.TYPE: (*where, offer.instance_type, spot),
        Reach.FAMILY: (*where, offer.accelerator, spot),
        Reach.REGION: where,
        Reach.CLOUD: (offer.cloud,),
    }
    return (reach.value, *cells.get(reach, ()))


@cache
def _patterns(cloud: str) -> tuple[tuple[re.Pattern[str], Failure], ...]:
    data = parse((Path(__file__).parent / "errors.yaml").read_text(encoding="utf-8"))
    sources = data["sources"]
    return tuple((_pattern(row["match"]), _failure(row, sources)) for row in data.get(cloud, ()))


def _pattern(match: str) -> re.Pattern[str]:
    """A code is a whole word; AWS writes some with a prefix (`Client.`) or a suffix (`.Zone`)."""
    if " " in match:
        return re.compile(re.escape(match), re.IGNORECASE)
    return re.compile(rf"(?<![A-Za-z0-9_]){re.escape(match)}(?![A-Za-z0-9_])")


def _failure(row: dict[str, object], sources: dict[str, str]) -> Failure:
    return Failure(
        kind=Kind(row["kind"]),
        reach=Reach(row.get("blocks", "nothing")),
        hold=int(str(row["hold"])),
        retry=bool(row.get("retry", False)),
        code=str(row["match"]),
        source=sources[str(row["source"])],
        wraps=bool(row.get("wraps", False)),
    )


def _excerpt(text: str, code: str) -> str:
    """One line; of a long one, what begins with the code."""
    line = _COUNT.sub("", " ".join(text.split()))
    if len(line) <= _EXCERPT:
        return line
    found = line.casefold().find(code.casefold()) if code else 0
    start = found if found > 0 else 0
    return (
        ("…" if start else "")
        + line[start : start + _EXCERPT].strip()
        + ("…" if start + _EXCERPT < len(line) else "")
    )

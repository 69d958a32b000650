"""Colonies whose lease has ended, by tags alone: no state, no passphrase, no record is needed.

Whatever carries a colony's tag says when it ends; since a longer lease reaches not every tag, the
latest date on anything of a colony counts. A colony without a date is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from colony.lifecycle.ground import Tell, Thing
from colony.lifecycle.sweep import Estate, Swept, sweep_estate

__all__ = ["Expired", "Place", "expired", "sweep_expired"]

STACK, EXPIRES = "colony-stack", "colony-expires"
CLUSTER = "kubernetes.io/cluster/"
CLUSTERS = ("cluster", "clusters", "managedcluster", "managedclusters")
"""What the clouds' own lists call one."""


class Place(Protocol):
    """One cloud's inventory, of one region or of all."""

    @property
    def place(self) -> tuple[str, str]:
        """Cloud and region."""

    def find(self, tag: str, value: str | None = None) -> list[Thing]: ...

    def delete(self, thing: Thing) -> None: ...


@dataclass
class Expired:
    """One colony. `ended` is its lease's end in unix seconds; `places` is where it was seen."""

    stack: str
    ended: float = -1.0
    places: list[Place] = field(default_factory=list)
    swept: Swept = field(default_factory=Swept)


def expired(places: Iterable[Place], now: float) -> list[Expired]:
    """The colonies whose lease has passed."""
    seen: dict[str, Expired] = {}
    for place in places:
        for thing in place.find(STACK):
            if thing.going:
                continue
            one = seen.setdefault(thing.tags[STACK], Expired(thing.tags[STACK]))
            one.ended = max(one.ended, _moment(thing.tags.get(EXPIRES, "")))
            if place not in one.places:
                one.places.append(place)
    return [one for _, one in sorted(seen.items()) if 0 <= one.ended <= now]


def sweep_expired(
    places: list[Place],
    tell: Tell,
    *,
    now: Callable[[], float],
    wait: Callable[[float], object],
    delete: bool,
    leases: Mapping[str, float],
    only: str | None = None,
) -> list[Expired]:
    """Lists what is past its lease, with what controllers made, and deletes it on demand.

    `leases`: ends that are known better, from records that are within reach.
    """
    found = []
    for one in expired(places, now()):
        if only not in (None, one.stack):
            continue
        if leases.get(one.stack, 0.0) > now():
            tell(f"{one.stack}: its tags are old; its record says that it lives on")
            continue
        estate = _estate(one, wait)
        one.swept = sweep_estate(estate, lambda thing: True, now, tell, delete=delete)
        found.append(one)
    return found


def _estate(one: Expired, wait: Callable[[float], object]) -> Estate:
    """Names of clusters are remembered from round to round: what they left outlives them."""
    owners: dict[str, Place] = {}
    clusters: dict[int, set[str]] = {}

    def listed() -> list[Thing]:
        things: dict[str, Thing] = {}
        for number, place in enumerate(one.places):
            own = place.find(STACK, one.stack)
            names = clusters.setdefault(number, set())
            names |= _clusters(own)
            made = [thing for name in sorted(names) for thing in place.find(f"{CLUSTER}{name}")]
            for thing in [*own, *made]:
                if thing.tags.get(STACK, one.stack) == one.stack:
                    things.setdefault(thing.id, thing)
                    owners.setdefault(thing.id, place)
        return list(things.values())

    return Estate(listed, lambda thing: owners[thing.id].delete(thing), wait)


def _clusters(things: Iterable[Thing]) -> set[str]:
    """Names of the stack's clusters: by themselves, or by the network that is named like one and
    outlives it."""
    names = set()
    for thing in things:
        kind = thing.type.rsplit(":", 1)[-1].rsplit("/", 1)[-1].lower()
        if kind in CLUSTERS:
            names.add(thing.id.rsplit("/", 1)[-1])
        if kind == "vpc" and thing.tags.get("Name"):
            names.add(thing.tags["Name"])
    return names


def _moment(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else -1.0

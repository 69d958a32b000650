"""The proof: what the clouds' own inventories still list, whatever the state believes.

What carries our stack's tag is deleted. What only the cluster's controllers made (their tags
name the cluster) is reported: it may hold data, and `colony sweep --yes` deletes it on demand. But
an interface that is attached to nothing any more, or a security group, holds nothing but up the end
of our network: it goes with what is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from colony.lifecycle.ground import Ground, Tell, Thing
from jobs.errors import ColonyError

__all__ = ["Estate", "Swept", "sweep", "sweep_estate"]

DEADLINE = 2700.0
POLL = 5.0
"""Seconds. Node groups, clusters and NAT gateways take minutes, and block others until then."""


@dataclass
class Swept:
    """What was deleted, and what is left."""

    deleted: list[Thing] = field(default_factory=list)
    left: list[Thing] = field(default_factory=list)


@dataclass(frozen=True)
class Estate:
    """What a sweep looks at: how to list it, to delete one thing of it, and to wait."""

    list: Callable[[], list[Thing]]
    delete: Callable[[Thing], None]
    wait: Callable[[float], object]


def sweep(
    ground: Ground,
    stack: str,
    clusters: list[str],
    tell: Tell,
    *,
    delete: bool = True,
    everything: bool = False,
) -> Swept:
    """Lists by tag and deletes round by round, since things block each other.

    `everything` also deletes what controllers made.
    """

    def mine(thing: Thing) -> bool:
        return everything or thing.idle or thing.tags.get("colony-stack") == stack

    estate = Estate(lambda: ground.inventory(stack, clusters), ground.delete, ground.wait)
    return sweep_estate(estate, mine, ground.now, tell, delete=delete)


def sweep_estate(
    estate: Estate,
    mine: Callable[[Thing], bool],
    now: Callable[[], float],
    tell: Tell,
    *,
    delete: bool,
) -> Swept:
    """Ends when a round changes nothing and nothing is on its way out; what is left then, whoever
    may delete it, is listed."""
    swept = Swept()
    deadline = now() + DEADLINE
    while True:
        things = estate.list()
        ours = [thing for thing in things if mine(thing)]
        asked = _round(estate, ours, tell) if delete and now() < deadline else []
        known = {each.id for each in swept.deleted}
        swept.deleted += [thing for thing in asked if thing.id not in known]
        waits = delete and (asked or any(thing.going for thing in ours))
        if not waits or now() >= deadline:
            break
        estate.wait(POLL)
    swept.left = [thing for thing in things if delete or not thing.going]
    return swept


def _round(estate: Estate, things: list[Thing], tell: Tell) -> list[Thing]:
    """Asks for the deletion of the first stage that can be; what is refused in it holds nobody up.

    Returns what was asked for.
    """
    for stage in sorted({thing.stage for thing in things}):
        here = [thing for thing in things if thing.stage == stage]
        asked = [t for t in here if not t.going and _deleted(estate, t, tell)]
        if asked or any(thing.going for thing in here):
            return asked
    return []


def _deleted(estate: Estate, thing: Thing, tell: Tell) -> bool:
    try:
        estate.delete(thing)
    except ColonyError:
        return False
    tell(f"swept {thing.type} {thing.id}")
    return True

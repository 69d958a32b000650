"""The proof: what the clouds' own inventories still list, whatever the state believes.

What carries our stack's tag is deleted. What only the cluster's controllers made (their tags
name the cluster) is reported: it may hold data, and `colony sweep --yes` deletes it on demand.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from colony.lifecycle.ground import Ground, Tell, Thing
from jobs.errors import ColonyError

__all__ = ["Swept", "sweep"]

DEADLINE = 900.0
POLL = 5.0
"""Seconds. A NAT gateway needs minutes to go, and blocks its subnet until then."""


@dataclass
class Swept:
    """What was deleted, and what is left."""

    deleted: list[Thing] = field(default_factory=list)
    left: list[Thing] = field(default_factory=list)


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

    `everything` also deletes what controllers made. Ends when a round changes nothing.
    """
    swept = Swept()
    deadline = ground.now() + DEADLINE
    while ground.now() < deadline:
        things = ground.inventory(stack, clusters)
        mine = [t for t in things if everything or t.tags.get("colony-stack") == stack]
        gone = [t for t in mine if delete and _deleted(ground, t, tell)]
        swept.deleted += [t for t in gone if t.id not in {one.id for one in swept.deleted}]
        if not gone:
            break
        ground.wait(POLL)
    swept.left = ground.inventory(stack, clusters)
    return swept


def _deleted(ground: Ground, thing: Thing, tell: Tell) -> bool:
    try:
        ground.delete(thing)
    except ColonyError:
        return False
    tell(f"swept {thing.type} {thing.id}")
    return True

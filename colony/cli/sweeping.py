"""`colony sweep`: what is left in the clouds, of one colony, of those that ended, or of whatever is
past its lease."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from colony.cli import show
from colony.cli.backend import chosen
from colony.cli.colonies import ground_of, known
from colony.lifecycle.ground import Ground, Thing, records_of
from colony.records import Records, stacks_with_records
from jobs.errors import ColonyError, InputError, NotReady

if TYPE_CHECKING:
    from colony.lifecycle.expired import Expired, Place

__all__ = ["sweep"]

LEFT = 4


def sweep(name: str | None, expired: bool, world: Path | None, yes: bool, output: str) -> int:
    """Lists by tag; a colony that lives and has time left is only touched when named."""
    if expired:
        return _expired(name, world, yes, output)
    left, deleted = [], []
    with ground_of(world) as ground:
        if name:
            known(ground, name)
        for stack in [name] if name else stacks_with_records(ground.storage):
            if name or stack not in ground.engine.stacks():
                gone, stays = _one(ground, stack, yes, output)
                deleted += gone
                left += stays
    return _said(deleted, left, output)


def _one(ground: Ground, stack: str, yes: bool, output: str) -> tuple[list[Thing], list[Thing]]:
    from colony.lifecycle.logbook import log
    from colony.lifecycle.sweep import sweep as do_sweep

    tell = show.teller(None, stderr=output == "json")
    clusters = (records_of(ground, stack).read("clusters") or {}).get("names", [])
    swept = do_sweep(ground, stack, clusters, tell, delete=yes, everything=True)
    if swept.deleted:
        things = [f"{thing.type} {thing.id}" for thing in swept.deleted]
        log(ground, stack, "swept", things=things)
    return swept.deleted, swept.left


def _expired(name: str | None, world: Path | None, yes: bool, output: str) -> int:
    """With the clouds' credentials alone: neither the engine nor a state is asked."""
    from colony.lifecycle.expired import sweep_expired

    tell = show.teller(None, stderr=True)
    with _sky(world) as sky:
        found = sweep_expired(
            sky.places, tell, now=sky.now, wait=sky.wait, delete=yes, leases=sky.leases, only=name
        )
        if output != "json":
            _ends(found, sky.now())
    deleted = [thing for one in found for thing in one.swept.deleted]
    left = [thing for one in found for thing in one.swept.left]
    return _said(deleted, left, output)


@dataclass(frozen=True)
class _Sky:
    """Where to look, by which clock, and what is known better."""

    places: list[Place]
    now: Callable[[], float]
    wait: Callable[[float], object]
    leases: dict[str, float]


@contextmanager
def _sky(world: Path | None) -> Iterator[_Sky]:
    if world is None:
        leases = _leases()
        yield _Sky(_clouds(), time.time, time.sleep, leases)
        return
    from colony.lifecycle.world_place import WorldPlace
    from colony.rehearsal.world import World

    opened = World.open(world)
    opened.start()
    try:
        yield _Sky([WorldPlace(opened)], opened.now, opened.advance, {})
    finally:
        opened.stop()


def _clouds() -> list[Place]:
    """Those that let us in; the others are named. Raises NotReady where none does."""
    from colony.inventory import CLOUDS, everywhere

    places: list[Place] = []
    for cloud in CLOUDS:
        try:
            places += everywhere(cloud)
        except NotReady as error:
            show.console(stderr=True).print(f"{cloud} was not asked: {error}", markup=False)
    if not places:
        raise NotReady("no cloud lets us in: give the credentials of one")
    return places


def _leases() -> dict[str, float]:
    """By the records of this machine's backend, where there are any."""
    from colony.lifecycle.real import Real

    try:
        storage = Real.reopen(chosen()).storage
        stacks = stacks_with_records(storage)
        found = {stack: Records(storage, stack).lease() for stack in stacks}
    except ColonyError as error:
        if isinstance(error, InputError) and chosen():
            raise  # it was named here: its longer leases would be overlooked
        return {}
    return {stack: float(lease.expires) for stack, lease in found.items() if lease}


def _ends(found: list[Expired], now: float) -> None:
    for one in found:
        ago = show.duration(max(0.0, now - one.ended))
        things = [*one.swept.deleted, *one.swept.left]
        price = sum(thing.usd_per_hour or 0.0 for thing in things)
        text = (
            f"{one.stack}: its lease ended {ago} ago; {len(things)} things, {show.money(price)}/h"
        )
        show.console().print(text, markup=False)


def _said(deleted: list[Thing], left: list[Thing], output: str) -> int:
    if output == "json":
        show.as_json(
            {
                "deleted": [thing.to_dict() for thing in deleted],
                "billable_left": [thing.to_dict() for thing in left if thing.costs],
                "also_left": [thing.to_dict() for thing in left if not thing.costs],
            }
        )
    elif left:
        show.left_text(left)
    else:
        show.console().print("nothing left")
    return LEFT if left else 0

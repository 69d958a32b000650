"""A world's inventory, as whoever has nothing but the cloud's credentials sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from colony.lifecycle.ground import Thing, made_by

if TYPE_CHECKING:
    from colony.rehearsal.world import World

__all__ = ["WorldPlace"]

CLUSTER = "kubernetes.io/cluster/"


class WorldPlace:
    """All clouds of a world at once."""

    place: tuple[str, str] = ("world", "")

    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        found = self._world.inventory(everything=True)
        return [_thing(each) for each in found if _fits(each["tags"], tag, value)]

    def delete(self, thing: Thing) -> None:
        self._world.delete(thing.id)


def _fits(tags: dict[str, str], tag: str, value: str | None) -> bool:
    if tag.startswith(CLUSTER) and value is None:
        return made_by(tags, [tag.removeprefix(CLUSTER)])
    return tag in tags and value in (None, tags[tag])


def _thing(entry: dict[str, Any]) -> Thing:
    keys = ("id", "type", "tags", "usd_per_hour", "urn", "created", "idle")
    return Thing(**{key: entry[key] for key in keys if entry.get(key) is not None})

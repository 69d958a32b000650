"""What is there in a world, and its journal.

`journal.jsonl` is the truth: every change is an entry that is on the disk before anybody hears of
it, and a world is re-opened by applying its entries again. An entry says what happened (`at`,
`op`, `urn`, `type`, `id`, `seconds`, `attempt`, `error`) and lists its `changes`, so that
re-opening needs no rule of any package.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from colony.rehearsal.ledger import LEDGER, append_lines, left_of, mend, read_lines

__all__ = [
    "EPOCH", "JOURNAL", "Change", "Store", "Thing", "World", "as_change", "object_key", "thing_key",
]  # fmt: skip

JOURNAL = "journal.jsonl"
EPOCH = 1767225600.0
"""2026-01-01T00:00:00Z: when every virtual clock starts."""

Change = list[Any]
"""["thing" | "object" | "cluster" | "clock", key..., value or None]"""


@dataclass
class Thing:
    """Something in a cloud. Secrets in `inputs` and `outputs` are masked."""

    key: str
    id: str
    type: str
    package: str
    region: str
    urn: str
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    tags: dict[str, str]
    usd_per_hour: float
    created: float
    generation: int = 1
    """How often its URN has been created."""
    revision: int = 1
    """How often it has been written."""
    blocks: list[str] = field(default_factory=list)
    """Keys of things that cannot go before this one."""
    goes_with: list[str] = field(default_factory=list)
    """Keys of things with which this one goes."""
    part_of: list[str] = field(default_factory=list)
    """Keys of things that this one is attached to."""
    marks: list[str] = field(default_factory=list)
    cluster: str | None = None
    nodes: float = 0
    """How many machines it is."""
    machine: str = ""
    """Their type."""

    def line(self, op: str, at: float) -> dict[str, Any]:
        """Its line of the ledger."""
        line = {"at": at, "op": op, "id": self.id, "type": self.type, "tags": self.tags}
        line["usd_per_hour"] = self.usd_per_hour
        if self.nodes:
            line["nodes"] = self.nodes
        return {**line, "urn": self.urn} if self.urn else line


@dataclass
class World:
    """The inventory in memory: nothing but the sum of the journal's entries."""

    clock: float = EPOCH
    things: dict[str, Thing] = field(default_factory=dict)
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Cluster -> object key -> {"object", "urn", "secrets"}."""
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Clusters that no cloud of this world made: {"endpoint"}."""
    attempts: dict[tuple[str, str], int] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)

    def apply(self, entry: dict[str, Any]) -> None:
        """Takes one journal entry in."""
        if entry.get("attempt"):
            self.attempts[entry["op"], entry["urn"]] = entry["attempt"]
        for kind, *path, value in entry.get("changes", []):
            getattr(self, f"_{kind}")(*path, value)

    def _thing(self, key: str, value: dict[str, Any] | None) -> None:
        if value is None:
            self.things.pop(key, None)
            return
        thing = self.things[key] = Thing(**value)
        self._made(thing.urn, thing.generation)

    def _object(self, cluster: str, key: str, value: dict[str, Any] | None) -> None:
        objects = self.objects.setdefault(cluster, {})
        if value is None:
            objects.pop(key, None)
            return
        objects[key] = value
        self._made(value["urn"], value.get("generation", 1))

    def _cluster(self, identifier: str, value: dict[str, Any] | None) -> None:
        if value is None:
            self.clusters.pop(identifier, None)
            self.objects.pop(identifier, None)
        else:
            self.clusters[identifier] = value

    def _clock(self, value: float) -> None:
        self.clock = value

    def _made(self, urn: str, generation: int) -> None:
        if urn:
            self.generations[urn] = max(self.generations.get(urn, 0), generation)


class Store:
    """The world on disk: commits entries, and keeps the ledger in step with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World()
        self.entries: list[dict[str, Any]] = []
        for name in (JOURNAL, LEDGER):
            mend(folder / name)
        for entry in read_lines(folder / JOURNAL):
            self.entries.append(entry)
            self.world.apply(entry)
        self._catch_up()

    def commit(self, entry: dict[str, Any]) -> None:
        """Writes an entry; on return it has happened, whatever becomes of this process."""
        append_lines(self.folder / JOURNAL, [entry])
        lines = self._lines(entry)
        self.entries.append(entry)
        self.world.apply(entry)
        append_lines(self.folder / LEDGER, lines)

    def _lines(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        lines = []
        for kind, *path in entry.get("changes", []):
            if kind != "thing":
                continue
            key, value = path
            old = self.world.things.get(key)
            new = Thing(**value) if value else None
            lines += _lines(old, new, entry["at"])
        return lines

    def _catch_up(self) -> None:
        """A crash between the two files leaves the ledger behind."""
        listed = {
            (line["type"], line["id"]): line for line in left_of(read_lines(self.folder / LEDGER))
        }
        there = {(t.type, t.id): t for t in self.world.things.values() if t.usd_per_hour}
        at = self.world.clock
        gone = [{**listed[key], "at": at, "op": "delete"} for key in listed.keys() - there.keys()]
        come = [there[key].line("create", at) for key in there.keys() - listed.keys()]
        append_lines(self.folder / LEDGER, [*gone, *come])


def thing_key(type_: str, region: str, id_: str) -> str:
    """What names a thing in the whole world: an id alone may be a name, and names repeat."""
    return f"{type_}|{region}|{id_}"


def object_key(group: str, kind: str, namespace: str, name: str) -> str:
    """What names a Kubernetes object within its cluster."""
    return f"{kind}.{group}/{namespace}/{name}"


def as_change(thing: Thing) -> Change:
    """The change that puts a thing there."""
    return ["thing", thing.key, asdict(thing)]


def _lines(old: Thing | None, new: Thing | None, at: float) -> list[dict[str, Any]]:
    was, now = bool(old and old.usd_per_hour), bool(new and new.usd_per_hour)
    if new and now:
        same = was and old and (old.usd_per_hour, old.tags) == (new.usd_per_hour, new.tags)
        return [] if same else [new.line("create", at)]
    return [old.line("delete", at)] if old and was else []

"""`charts/lock.yaml`: written from what repositories publish, and compared with it.

A layer is fine when entry, lock and repository name one archive, and every path that the entry sets
is in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from charts import LOCK, Layer, reference
from colony.charting.paths import check, unpack
from colony.charting.store import ChartMissing, Published, Store, StoreUnreachable

__all__ = ["State", "checked", "locked", "read_lock", "write_lock"]

HEAD = """\
# What each pin is: `digest` is the SHA-256 of the chart's archive as its repository publishes it;
# where none was seen, `seen` says where the version was. `colony charts lock` writes this file.
"""
PINS = ("chart", "repository", "version")

Lock = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class State:
    """Of one layer."""

    name: str
    version: str
    digest: str = ""
    """As it is published, or locked."""
    problems: list[str] = field(default_factory=list)
    unreachable: str = ""
    """Why its repository was not asked, or did not answer."""

    def to_dict(self) -> dict[str, Any]:
        return vars(self).copy()


def read_lock(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / LOCK
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def write_lock(folder: Path, lock: Lock) -> None:
    body = yaml.safe_dump({name: dict(lock[name]) for name in sorted(lock)}, width=100)
    (folder / LOCK).write_text(HEAD + body, encoding="utf-8")


def locked(
    layers: Mapping[str, Layer], old: Lock, store: Store
) -> Iterator[tuple[State, dict[str, Any]]]:
    """The state of each layer, and its lines of the lock: those of before where the pin is the
    same and its repository does not answer."""
    for layer in layers.values():
        known = dict(old.get(layer.name, {}))
        if _ours(layer):
            yield State(layer.name, layer.version), {**_pin(layer), "seen": "a chart of our own"}
            continue
        try:
            found = store.published(layer)
        except ChartMissing as error:
            yield State(layer.name, layer.version, problems=[str(error)]), known
        except StoreUnreachable as error:
            kept = known if _pin(known) == _pin(layer) else {}
            yield State(layer.name, layer.version, unreachable=str(error)), kept
        else:
            line = {**_pin(layer), "seen": found.seen, "digest": found.digest}
            moved = _moved(layer, known, found)
            yield State(layer.name, layer.version, found.digest, moved), known if moved else line


def checked(layers: Mapping[str, Layer], lock: Lock, store: Store) -> Iterator[State]:
    """Entry, lock, repository and archive of each layer, compared."""
    for layer in layers.values():
        line = lock.get(layer.name, {})
        digest = str(line.get("digest", ""))
        problems = [] if _pin(line) == _pin(layer) else ["the lock is of another pin"]
        if _ours(layer):
            strangers = check(layer, Path(reference(layer))).unknown
            yield State(layer.name, layer.version, problems=[*problems, *strangers])
            continue
        try:
            found = store.published(layer)
            problems += _moved(layer, line, found)
            if not digest:
                problems.append("the lock has no digest: `colony charts lock` writes it")
            problems += _strangers(layer, store.archive(found))
            yield State(layer.name, layer.version, found.digest, problems)
        except ChartMissing as error:
            yield State(layer.name, layer.version, digest, [*problems, str(error)])
        except StoreUnreachable as error:
            yield State(layer.name, layer.version, digest, problems, str(error))


def _moved(layer: Layer, line: Mapping[str, Any], found: Published) -> list[str]:
    """A version is published once: another archive under its name is nobody's upgrade."""
    was = line.get("digest")
    if not was or was == found.digest or _pin(line) != _pin(layer):
        return []
    return [f"the repository has {found.digest} as {layer.version}, and the lock has {was}"]


def _strangers(layer: Layer, data: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return check(layer, unpack(data, Path(folder))).unknown
        except ValueError as error:
            return [str(error)]


def _pin(one: Layer | Mapping[str, Any]) -> dict[str, Any]:
    """Chart, repository and version, without what is not there."""
    facts = one.model_dump() if isinstance(one, Layer) else one
    return {key: facts[key] for key in PINS if facts.get(key)}


def _ours(layer: Layer) -> bool:
    return layer.chart.startswith("./")

"""Many colonies out of one: a world's only colony, again and again under other names.

An `up` for each would take minutes. Names are told apart by the colony's own name in them; other
ids, which clouds make up, are made up anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from crash_matrix.life import colony

from colony.rehearsal.ledger import LEDGER, read_lines
from colony.rehearsal.state import JOURNAL
from colony.rehearsal.world import World

__all__ = ["brought_up", "clone", "spoil"]

TINY = """\
apiVersion: colony/v1
kind: Colony
name: tiny
clusters:
  - name: main
    cloud: aws
    region: us-east-1
    pools: [{name: gpu, accelerators: "A10G:1", nodes: 1}]
layers: {kueue: off, jobset: off}
ttl: 2h
"""


def brought_up(folder: Path) -> Path:
    """A world with one colony, `tiny`, and no server."""
    world = folder / "world"
    (folder / "colony.yaml").write_text(TINY)
    World.create(world).close()
    colony(["up", str(folder / "colony.yaml"), "--world", str(world)], folder / "up.log")
    World.open(world).stop()
    return world


def spoil(world: Path, name: str) -> None:
    """Nobody can read this colony's state from now on."""
    state = world / "state/.pulumi/stacks/colony" / f"{name}.json"
    whole = json.loads(state.read_text())
    whole["checkpoint"]["latest"]["resources"][1]["urn"] = "no urn"
    state.write_text(json.dumps(whole))


def clone(world: Path, name: str, names: list[str]) -> None:
    """`world` has one colony, `name`, and no server; afterwards it has those of `names`, too."""
    journal, ledger = world / JOURNAL, world / LEDGER
    ids = _ids(journal, name)
    whole = {path: path.read_text() for path in (journal, ledger)}
    for other in names:
        for path, text in whole.items():
            with path.open("a") as file:
                file.write(_renamed(text, name, other, ids))
        for path in _files(world, name):
            target = Path(_word(str(path.relative_to(world)), name, other))
            (world / target).parent.mkdir(parents=True, exist_ok=True)
            (world / target).write_text(_renamed(path.read_text(), name, other, ids))


def _files(world: Path, name: str) -> list[Path]:
    """State, records and config."""
    state = world / "state" / ".pulumi" / "stacks" / "colony"
    records = world / "state" / ".colony" / "colony" / name
    found = [state / f"{name}.json", world / "project" / "stacks" / f"Pulumi.{name}.yaml"]
    return [*found, *(path for path in records.rglob("*.json"))]


def _ids(journal: Path, name: str) -> list[str]:
    """Those that do not have the colony's name in them, the longest first."""
    found = {
        change[2]["id"]
        for entry in read_lines(journal)
        for change in entry.get("changes", [])
        if change[0] == "thing" and change[2] and name not in change[2]["id"]
    }
    return sorted((each for each in found if re.search(r"[0-9a-f]{8,}", each)), key=len)[::-1]


def _renamed(text: str, name: str, other: str, ids: list[str]) -> str:
    """Still JSON or YAML: only words are replaced."""
    for each in ids:
        text = text.replace(each, _made_up(each, other))
    return _word(text, name, other)


def _made_up(id: str, other: str) -> str:
    digits = hashlib.sha256(f"{other} {id}".encode()).hexdigest()
    return re.sub(r"[0-9a-f]{8,}", lambda match: digits[: len(match[0])], id)


def _word(text: str, name: str, other: str) -> str:
    return re.sub(rf"\b{name}\b", other, text)

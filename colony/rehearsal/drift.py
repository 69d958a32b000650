"""What changes after it was made, though no program asked: by rules of the packages' data. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from colony.rehearsal.package import Drift
from colony.rehearsal.state import Change, as_change
from colony.rehearsal.templates import lookup

if TYPE_CHECKING:
    from colony.rehearsal.simulation import Simulation

__all__ = ["as_there", "changed", "drifted"]


def drifted(simulation: Simulation) -> list[Change]:
    """Of all clouds' things, and all clusters' objects."""
    changes: list[Change] = []
    world = simulation.store.world
    for thing in world.things.values():
        rules = simulation.cloud.rule(simulation.packages[thing.package], thing.type).drift
        mine = [rule for rule in rules if not rule.given or lookup(thing.inputs, rule.given)]
        if mine:
            inputs, outputs = changed(thing.inputs, mine), changed(thing.outputs, mine)
            changes.append(as_change(replace(thing, inputs=inputs, outputs=outputs)))
    for cluster, records in world.objects.items():
        for key, record in records.items():
            rules = simulation.kubernetes.kind_of(str(record["object"].get("kind"))).drift
            if rules:
                whole = {**record, "object": changed(record["object"], rules)}
                changes.append(["object", cluster, key, whole])
    return changes


def changed(values: Mapping[str, Any], rules: Iterable[Drift]) -> dict[str, Any]:
    """A copy with each rule's value at its path."""
    result = copy.deepcopy(dict(values))
    for rule in rules:
        _set(result, rule.path.split("."), rule.value)
    return result


def as_there(
    inputs: Mapping[str, Any], there: Mapping[str, Any], rules: Iterable[Drift]
) -> dict[str, Any]:
    """The inputs with what stands in the object now, where that may have changed."""
    moved = [rule for rule in rules if _has(there, rule.path.split("."), rule.value)]
    return changed(inputs, moved)


def _set(node: Any, path: list[str], value: Any) -> None:
    step, *rest = path
    if step == "*":
        for item in node if isinstance(node, list) else []:
            _set(item, rest, value)
    elif not isinstance(node, dict):
        return
    elif not rest:
        node[step] = copy.deepcopy(value)
    elif step in node:
        _set(node[step], rest, value)


def _has(node: Any, path: list[str], value: Any) -> bool:
    step, *rest = path
    if step == "*":
        return isinstance(node, list) and any(_has(item, rest, value) for item in node)
    if not isinstance(node, dict) or step not in node:
        return False
    return _has(node[step], rest, value) if rest else bool(node[step] == value)

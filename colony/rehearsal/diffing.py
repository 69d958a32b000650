"""What changed between old and new inputs, and whether it can change in place. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "differences", "must_replace"]


@dataclass(frozen=True)
class Difference:
    """One path (`a.b[0].c`) that was added, deleted or updated."""

    path: str
    kind: str
    replace: bool = False


def differences(old: Any, new: Any, replace: list[str]) -> list[Difference]:
    """Every leaf that differs; internal keys (`__defaults`) never do."""
    return [
        Difference(path, kind, must_replace(path, replace)) for path, kind in _walk(old, new, "")
    ]


def must_replace(path: str, rules: list[str]) -> bool:
    """True if a rule names the path or what holds it. `*` is everything but tags."""
    plain = ".".join(step.split("[")[0] for step in path.split("."))
    for rule in rules:
        if rule == "*" and not plain.split(".")[0].startswith(("tags", "labels")):
            return True
        if plain == rule or plain.startswith(f"{rule}.") or rule.startswith(f"{plain}."):
            return True
    return False


def _walk(old: Any, new: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(key for key in old.keys() | new.keys() if not key.startswith("__")):
            yield from _walk(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _walk(_item(old, index), _item(new, index), f"{path}[{index}]")
    elif old != new:
        yield path, "add" if old is None else "delete" if new is None else "update"


def _item(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None

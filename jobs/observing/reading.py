"""Look-ups in objects that may hold anything: what is not of the expected kind is empty."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

__all__ = [
    "condition", "items", "labels", "metadata", "number", "owner", "positive", "status", "table",
    "text", "when",
]  # fmt: skip

Object = dict[str, Any]


def table(thing: Any, *path: str) -> Object:
    """The mapping at a path; `{}` when there is none."""
    for key in path:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing if isinstance(thing, dict) else {}


def items(thing: Any, *path: str) -> list[Object]:
    """The mappings of the list at a path."""
    *folders, last = path
    found = table(thing, *folders).get(last)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text(thing: Any, key: str) -> str:
    """The text under a key; `""` when there is none."""
    found = thing.get(key) if isinstance(thing, dict) else None
    return found if isinstance(found, str) else ""


def number(thing: Any, key: str, default: int = 0) -> int:
    """The whole number under a key, also when it is written as text."""
    found = thing.get(key) if isinstance(thing, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    if isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < 20:
        return int(found)
    return default


def positive(thing: Any, key: str, default: int = 0) -> int:
    """Like `number`, never below 0."""
    return max(0, number(thing, key, default))


def metadata(thing: Any) -> Object:
    return table(thing, "metadata")


def labels(thing: Any) -> Object:
    return table(thing, "metadata", "labels")


def status(thing: Any) -> Object:
    return table(thing, "status")


def condition(thing: Any, kind: str, value: str = "True") -> Object | None:
    """The condition of this type with this status."""
    for each in items(thing, "status", "conditions"):
        if each.get("type") == kind and each.get("status") == value:
            return each
    return None


def owner(thing: Any) -> Object:
    """The reference to the controller that made it; `{}` when nobody did."""
    for each in items(thing, "metadata", "ownerReferences"):
        if each.get("controller") is True:
            return each
    return {}


def when(stamp: Any) -> float | None:
    """Seconds since 1970 of an RFC 3339 time."""
    if not isinstance(stamp, str) or len(stamp) < 19:
        return None
    try:
        time = datetime.fromisoformat(stamp[:19])
    except ValueError:
        return None
    return time.replace(tzinfo=timezone.utc).timestamp()

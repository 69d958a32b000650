"""A user's PodTemplateSpec laid over ours.

Mappings are merged, and so are lists whose items have a key (`name`; `mountPath` of mounts): those
of one key become one. Lists of other mappings (tolerations) are joined, all else is replaced; a
null takes away.
"""

from __future__ import annotations

from typing import Any

__all__ = ["overlaid"]

_KEYS = ("mountPath", "name")


def overlaid(base: Any, above: Any) -> Any:
    """Neither is changed."""
    if isinstance(base, dict) and isinstance(above, dict):
        return _mapping(base, above)
    if isinstance(base, list) and isinstance(above, list):
        return _list(base, above)
    return above


def _mapping(base: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in above.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = overlaid(base[name], value) if name in base else value
    return merged


def _list(base: list[Any], above: list[Any]) -> list[Any]:
    if not all(isinstance(item, dict) for item in (*base, *above)):
        return above
    key = next((key for key in _KEYS if all(key in item for item in (*base, *above))), "")
    if not key:
        return [*base, *(item for item in above if item not in base)]
    mine = {item[key]: item for item in above}
    known = {item[key] for item in base}
    kept = [overlaid(item, mine[item[key]]) if item[key] in mine else item for item in base]
    return [*kept, *(item for item in above if item[key] not in known)]

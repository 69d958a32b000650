"""The foreign formats as data: which fields a document may have, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Format", "format_of", "kinds", "shared", "types"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PARTS = ("kubernetes", "shared")


@dataclass(frozen=True)
class Format:
    """One kind of document."""

    kind: str
    whose: str
    versions: tuple[str, ...]
    """Every apiVersion that is read."""
    spec: str
    """The type of `spec`."""
    types: Mapping[str, Mapping[str, str]]
    """Type -> field -> type; see kubernetes.yaml."""
    ignored: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a path -> why the field changes nothing."""
    not_honoured: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a path -> what is so instead; `plan` and `run` refuse it."""
    silent: frozenset[str] = frozenset()
    """Patterns of fields that are read elsewhere."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the importer of this kind reads."""


@cache
def kinds() -> dict[str, str]:
    """Kind -> whose it is, of every format here."""
    names = (path.stem for path in sorted(Path(__file__).parent.glob("*.yaml")))
    found = (_load(name) for name in names if name not in _PARTS)
    return {data["kind"]: data["whose"] for data in found}


@cache
def format_of(kind: str) -> Format:
    """The format of a kind in `kinds()`."""
    data, common = _load(kind.lower()), shared()
    return Format(
        kind=data["kind"],
        whose=data["whose"],
        versions=tuple(data["versions"]),
        spec=data["spec"],
        types=types(data["types"]),
        ignored={**common["ignored"], **data.get("ignored", {})},
        not_honoured=data.get("not_honoured", {}),
        silent=frozenset((*common["silent"], *data.get("silent", ()))),
        facts=data,
    )


def types(own: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """A format's own types, with those that it is made of."""
    return {**_load("kubernetes"), **shared()["types"], **own}


def shared() -> Mapping[str, Any]:
    """What several formats share."""
    data: Mapping[str, Any] = _load("shared")
    return data


@cache
def _load(name: str) -> Any:
    path = Path(__file__).with_name(f"{name}.yaml")
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)

"""Walks a document by its format: unknown fields, wrong types, and every field that is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.errors import Problem
from jobs.problems import printable
from jobs.wording import unknown_field

__all__ = ["Found", "walk", "without_null"]

_SCALARS: dict[str, tuple[tuple[type, ...], str]] = {
    "text": ((str,), "text"),
    "integer": ((int,), "a whole number"),
    "boolean": ((bool,), "true or false"),
    "number": ((int, float), "a number"),
    "quantity": ((int, float, str), "an amount such as 2 or 4Gi"),
}

Types = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Found:
    """A field that has a value. `problem` is set where it cannot be."""

    path: str
    """`spec.replicas.Worker.template`."""
    value: Any = None
    literal: str = ""
    """The path with `*` for every place in a list."""
    pattern: str = ""
    """... and for every key of a mapping, too."""
    problem: Problem | None = None


def walk(value: Any, kind: str, types: Types, root: Found) -> Iterator[Found]:
    """Every field in a value of a type, from the outside in. Null is the same as absent."""
    if value is None:
        return
    yield root
    if kind[0] == "[":
        yield from _list(value, kind[1:-1], types, root)
    elif kind[0] == "{":
        yield from _mapping(value, kind[1:-1], types, root)
    elif kind in types:
        yield from _fields(value, types[kind], types, root)
    elif kind != "any":
        yield from _scalar(value, kind, root)


def without_null(value: Any) -> Any:
    """The same without fields that are null, which is the same as absent; lists keep theirs."""
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value


def _list(value: Any, inner: str, types: Types, at: Found) -> Iterator[Found]:
    if not isinstance(value, list):
        yield _wrong(at, "must be a list (`- item` lines)", value)
        return
    for index, item in enumerate(value):
        here = Found(f"{at.path}[{index}]", item, f"{at.literal}.*", f"{at.pattern}.*")
        if item is None:
            yield Found(here.path, problem=Problem(here.path, "must not be empty"))
        yield from walk(item, inner, types, here)


def _mapping(value: Any, inner: str, types: Types, at: Found) -> Iterator[Found]:
    if not isinstance(value, dict):
        yield _wrong(at, "must be a mapping (`key: value` lines)", value)
        return
    for key, item in value.items():
        name = printable(key)
        here = Found(f"{at.path}.{name}", item, f"{at.literal}.{name}", f"{at.pattern}.*")
        yield from walk(item, inner, types, here)


def _fields(value: Any, known: Mapping[str, str], types: Types, at: Found) -> Iterator[Found]:
    if not isinstance(value, dict):
        yield _wrong(at, "must be a mapping (`key: value` lines)", value)
        return
    for key, item in value.items():
        name = printable(key)
        here = _inside(at, name, item)
        if key not in known:
            yield Found(here.path, item, problem=unknown_field(here.path, name, known))
        else:
            yield from walk(item, known[key], types, here)


def _scalar(value: Any, kind: str, at: Found) -> Iterator[Found]:
    classes, words = _SCALARS[kind]
    if isinstance(value, classes) and (kind == "boolean" or not isinstance(value, bool)):
        return
    yield _wrong(at, f"must be {words}", value, "put it in quotes" if kind == "text" else "")


def _wrong(at: Found, message: str, value: Any, hint: str = "") -> Found:
    shapes = {dict: "a mapping", list: "a list", bool: str(value).lower()}
    given = shapes.get(type(value), f"a {type(value).__name__}")
    quotes = hint if isinstance(value, (int, float)) else ""
    return Found(at.path, value, problem=Problem(at.path, f"{message}, not {given}", quotes))


def _inside(at: Found, name: str, value: Any) -> Found:
    def join(prefix: str) -> str:
        return f"{prefix}.{name}" if prefix else name

    return Found(join(at.path), value, join(at.literal), join(at.pattern))

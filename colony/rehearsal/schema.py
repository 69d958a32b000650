"""The SDKs' schemas at work: unknown, missing and mistyped inputs are refused as the real provider
would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from colony.rehearsal.known import known
from colony.rehearsal.templates import UNKNOWN

__all__ = ["Failure", "Output", "Shape", "check", "check_config", "knows", "outputs", "shape"]

_ASSET = "4dabf18193072939515e22adb298388d"
_SCALARS: dict[str, tuple[tuple[type, ...], str]] = {
    "boolean": ((bool,), "true or false"),
    "string": ((str,), "a string"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
}


@dataclass(frozen=True)
class Failure:
    """One input that is refused."""

    path: str
    reason: str


@dataclass(frozen=True)
class Output:
    """One output: whether the SDK says that it is always there, and its type's empty value."""

    always: bool
    empty: Any


@dataclass(frozen=True)
class Shape:
    """The inputs of an object: their types as in `signatures`, and which must be there."""

    types: dict[str, Any]
    required: frozenset[str]


def knows(token: str) -> bool:
    """True if the token's SDK is installed and has a class for it."""
    return _resource(token) is not None


def check(token: str, inputs: dict[str, Any]) -> list[Failure]:
    """What is wrong with the inputs, by the SDK's own signature; nothing for an unknown token."""
    found = shape(token)
    return _Check(_package(token)).of_object(inputs, found, "") if found else []


def check_config(package: str, inputs: dict[str, Any]) -> list[Failure]:
    """The same for a provider's own inputs, whose nested values travel as JSON texts."""
    names = known(package).configuration()
    given = [key for key in inputs if key != "version" and not key.startswith("__")]
    return [_unknown(key, names, "") for key in given if names and key not in names]


def shape(token: str) -> Shape | None:
    """The inputs of a resource type; None for an unknown token."""
    found = _resource(token)
    name = found["inputs"] if found else None
    return _shape(_package(token), name) if name else None


@cache
def outputs(token: str) -> dict[str, Output]:
    """Every output of a type by its name on the wire."""
    found = _resource(token)
    return {name: Output(*each) for name, each in found["outputs"].items()} if found else {}


def _package(token: str) -> str:
    return token.partition(":")[0]


def _resource(token: str) -> dict[str, Any] | None:
    return known(_package(token)).resource(token)


@cache
def _shape(package: str, name: str) -> Shape:
    found = known(package).objects[name]
    return Shape(found["types"], frozenset(found["required"]))


@dataclass(frozen=True)
class _Check:
    package: str

    def of_object(self, value: dict[str, Any], shape: Shape, path: str) -> list[Failure]:
        given = {key: item for key, item in value.items() if not key.startswith("__")}
        failures = [_unknown(key, shape.types, path) for key in given if key not in shape.types]
        failures += [
            Failure(_join(path, key), "missing: this input is required")
            for key in sorted(shape.required)
            if given.get(key) is None
        ]
        for key in given.keys() & shape.types.keys():
            failures += self.of(given[key], shape.types[key], _join(path, key))
        return sorted(failures, key=lambda failure: failure.path)

    def of(self, value: Any, typ: Any, path: str) -> list[Failure]:
        if value is None or value == UNKNOWN or typ is None:
            return []
        if isinstance(value, dict) and _ASSET in value:
            return []
        if isinstance(typ, str):
            return _scalar(value, typ, path)
        ((kind, inner),) = typ.items()
        check = {"list": self._list, "map": self._map, "union": self._union, "one_of": _choice}
        return check.get(kind, self._named)(value, inner, path)

    def _union(self, value: Any, members: list[Any], path: str) -> list[Failure]:
        found = [self.of(value, member, path) for member in members]
        return min(found, key=len, default=[])

    def _list(self, value: Any, item: Any, path: str) -> list[Failure]:
        if not isinstance(value, list):
            return _mistyped(value, "a list", path)
        return [f for i, each in enumerate(value) for f in self.of(each, item, f"{path}[{i}]")]

    def _map(self, value: Any, item: Any, path: str) -> list[Failure]:
        if not isinstance(value, dict):
            return _mistyped(value, "a mapping", path)
        return [f for key, each in value.items() for f in self.of(each, item, _join(path, key))]

    def _named(self, value: Any, name: str, path: str) -> list[Failure]:
        if not isinstance(value, dict):
            return _mistyped(value, "an object", path)
        return self.of_object(value, _shape(self.package, name), path)


def _choice(value: Any, choices: list[Any], path: str) -> list[Failure]:
    return [] if value in choices else _mistyped(value, f"one of {tuple(choices)}", path)


def _scalar(value: Any, typ: str, path: str) -> list[Failure]:
    expected, said = _SCALARS[typ]
    fits = isinstance(value, expected) and isinstance(value, bool) == (typ == "boolean")
    return [] if fits else _mistyped(value, said, path)


def _unknown(key: str, names: Iterable[str], path: str) -> Failure:
    near = get_close_matches(key, list(names), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Failure(_join(path, key), f"unknown input{hint}")


def _mistyped(value: Any, wanted: str, path: str) -> list[Failure]:
    said = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    found = said.get(type(value), f"the number {value}")
    return [Failure(path, f"must be {wanted}, not {found}")]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key

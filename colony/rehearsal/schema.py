"""The typed SDKs as schemas: what a resource type takes and gives.

Pulumi's Python SDKs carry every provider's schema in their signatures, so that no schema file is
needed: unknown, missing and mistyped inputs are refused as the real provider would.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import sys
import threading
import typing
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from typing import Any

from pulumi import _types
from pulumi.runtime import rpc

from colony.rehearsal.templates import UNKNOWN
from components.slim import slim

__all__ = ["Failure", "Output", "check", "check_config", "knows", "load", "outputs"]

_importing = threading.RLock()
_ASSET = "4dabf18193072939515e22adb298388d"


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


def load(token: str) -> None:
    """Imports ahead what a check of this type will need; nothing for an unknown token."""
    if cls := _arguments_class(token):
        _shape(cls)
        outputs(token)


def knows(token: str) -> bool:
    """True if the token's SDK is installed and has a class for it."""
    return _resource_class(token) is not None


def check(token: str, inputs: dict[str, Any]) -> list[Failure]:
    """What is wrong with the inputs, by the SDK's own signature; nothing for an unknown token."""
    cls = _arguments_class(token)
    return _check_object(inputs, cls, "") if cls else []


def check_config(package: str, inputs: dict[str, Any]) -> list[Failure]:
    """The same for a provider's own inputs, whose nested values travel as JSON texts."""
    module = _module(package)
    cls = getattr(module, "ProviderArgs", None)
    if cls is None:
        return []
    shape = _shape(cls)
    given = [key for key in inputs if key != "version" and not key.startswith("__")]
    return [_unknown(key, shape, "") for key in given if key not in shape.types]


@cache
def outputs(token: str) -> dict[str, Output]:
    """Every output of a type by its name on the wire."""
    with _alone():
        return _outputs(token)


def _outputs(token: str) -> dict[str, Output]:
    cls = _resource_class(token)
    if cls is None:
        return {}
    getters = {name: item.fget for name, item in vars(cls).items() if isinstance(item, property)}
    names = _types.resource_py_to_pulumi_names(cls)
    types = _types.resource_types(cls)
    return {
        wire: Output(not _optional(getters.get(name)), _empty(types.get(wire)))
        for name, wire in names.items()
    }


@cache
def _resource_class(token: str) -> type | None:
    if _module(token.partition(":")[0]) is None:
        return None
    for module in rpc._RESOURCE_MODULES.get(token.rpartition(":")[0], []):
        info: Any = module.mod_info  # type: ignore[attr-defined]  # every SDK's registration has it
        if token in info["classes"]:
            with _alone():
                found: type = getattr(_folder(info["fqn"]), info["classes"][token])
            return found
    return None


@cache
def _module(package: str) -> Any:
    try:
        with _alone():
            return _folder(f"pulumi_{package.replace('-', '_')}")
    except ImportError:
        return None


@contextmanager
def _alone() -> Iterator[None]:
    """The SDKs' folders are lazy, and two threads would meet half-way."""
    with _importing, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDKs deprecate parts of themselves
        yield


def _folder(module: str) -> Any:
    found = importlib.import_module(module)
    slim()
    return found


@cache
def _arguments_class(token: str) -> type | None:
    cls = _resource_class(token)
    if cls is None:
        return None
    module = sys.modules[cls.__module__]
    names = (f"{cls.__name__}InitArgs", f"{cls.__name__}Args")
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)


@dataclass(frozen=True)
class _Shape:
    types: dict[str, Any]
    required: frozenset[str]


@cache
def _shape(cls: type) -> _Shape:
    with _alone():
        return _signature(cls)


def _signature(cls: type) -> _Shape:
    names = _types.input_type_py_to_pulumi_names(cls)
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    required = {
        names[name]
        for name, parameter in parameters.items()
        if name in names and parameter.default is inspect.Parameter.empty
    }
    return _Shape(_types.input_type_types(cls), frozenset(required))


def _check_object(value: dict[str, Any], cls: type, path: str) -> list[Failure]:
    shape = _shape(cls)
    given = {key: item for key, item in value.items() if not key.startswith("__")}
    failures = [_unknown(key, shape, path) for key in given if key not in shape.types]
    failures += [
        Failure(_join(path, key), "missing: this input is required")
        for key in sorted(shape.required)
        if given.get(key) is None
    ]
    for key in given.keys() & shape.types.keys():
        failures += _check(given[key], shape.types[key], _join(path, key))
    return sorted(failures, key=lambda failure: failure.path)


def _unknown(key: str, shape: _Shape, path: str) -> Failure:
    near = get_close_matches(key, shape.types, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Failure(_join(path, key), f"unknown input{hint}")


def _check(value: Any, typ: Any, path: str) -> list[Failure]:
    if value is None or value == UNKNOWN or typ is Any or typ is None:
        return []
    typ = _types.unwrap_type(typ)
    if isinstance(value, dict) and _ASSET in value:
        return []
    origin = typing.get_origin(typ)
    if origin is typing.Union:
        return _check_union(value, typing.get_args(typ), path)
    if origin is typing.Literal:
        choices = typing.get_args(typ)
        return [] if value in choices else _mistyped(value, f"one of {choices}", path)
    if _is(origin, collections.abc.Sequence):
        return _check_list(value, typ, path)
    if _is(origin, collections.abc.Mapping):
        return _check_mapping(value, typ, path)
    return _check_scalar(value, typ, path)


def _check_union(value: Any, members: tuple[Any, ...], path: str) -> list[Failure]:
    found = [_check(value, member, path) for member in members if member is not type(None)]
    return min(found, key=len, default=[])


def _check_list(value: Any, typ: Any, path: str) -> list[Failure]:
    if not isinstance(value, list):
        return _mistyped(value, "a list", path)
    item = (typing.get_args(typ) or (Any,))[0]
    return [f for i, each in enumerate(value) for f in _check(each, item, f"{path}[{i}]")]


def _check_mapping(value: Any, typ: Any, path: str) -> list[Failure]:
    if not isinstance(value, dict):
        return _mistyped(value, "a mapping", path)
    item = (typing.get_args(typ) or (str, Any))[1]
    return [f for key, each in value.items() for f in _check(each, item, _join(path, key))]


def _check_scalar(value: Any, typ: Any, path: str) -> list[Failure]:
    if not isinstance(typ, type) or typ is object:
        return []
    if _types.is_input_type(typ):
        if not isinstance(value, dict):
            return _mistyped(value, "an object", path)
        return _check_object(value, typ, path)
    expected, said = _scalar(typ)
    if expected is None or (isinstance(value, expected) and _bool_fits(value, typ)):
        return []
    return _mistyped(value, said, path)


def _scalar(typ: type) -> tuple[tuple[type, ...] | None, str]:
    if issubclass(typ, bool):
        return (bool,), "true or false"
    if issubclass(typ, Enum) or issubclass(typ, str):
        return (str,), "a string"
    if issubclass(typ, int):
        return (int,), "a whole number"
    if issubclass(typ, float):
        return (int, float), "a number"
    return None, ""


def _bool_fits(value: Any, typ: type) -> bool:
    return isinstance(value, bool) == issubclass(typ, bool)


def _mistyped(value: Any, wanted: str, path: str) -> list[Failure]:
    said = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    found = said.get(type(value), f"the number {value}")
    return [Failure(path, f"must be {wanted}, not {found}")]


def _optional(getter: Any) -> bool:
    annotation = getattr(getter, "__annotations__", {}).get("return")
    inner = (typing.get_args(annotation) or (annotation,))[0]
    return type(None) in typing.get_args(inner)


def _empty(typ: Any) -> Any:
    origin = typing.get_origin(typ)
    if _is(origin, collections.abc.Sequence):
        return []
    if _is(origin, collections.abc.Mapping):
        return {}
    simple = (bool, int, float, str)
    return next(
        (kind() for kind in simple if isinstance(typ, type) and issubclass(typ, kind)), None
    )


def _is(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key

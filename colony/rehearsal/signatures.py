"""What the typed SDKs say of a resource type, as plain data.

Pulumi's Python SDKs carry every provider's schema in their signatures, so that no schema file is
needed. A type is one of

    None                      anything
    "boolean", "integer", "number", "string"
    {"list": T}, {"map": T}, {"union": [T, …]}, {"one_of": [value, …]}
    {"object": NAME}          an object that is described beside it
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
from enum import Enum
from functools import cache
from typing import Any

from pulumi import _types
from pulumi.runtime import rpc

from components.slim import slim

__all__ = ["configuration", "describe"]

Objects = dict[str, dict[str, Any]]
"""By name: `{"types": {input: type}, "required": [input, …]}`."""

_importing = threading.RLock()
_SCALARS: list[tuple[tuple[type, ...], str]] = [
    ((bool,), "boolean"), ((Enum, str), "string"), ((int,), "integer"), ((float,), "number"),
]  # fmt: skip


def describe(token: str, objects: Objects) -> dict[str, Any] | None:
    """`{"inputs": name of an object, "outputs": {name: [always there, empty value]}}`; None for a
    token without a class. What its inputs are made of is added to `objects`."""
    with _alone():
        cls = _resource_class(token)
        if cls is None:
            return None
        arguments = _arguments_class(cls)
        return {
            "inputs": _object(arguments, objects) if arguments else None,
            "outputs": _outputs(cls),
        }


def configuration(package: str) -> list[str] | None:
    """The inputs of a provider itself; None where it has no SDK."""
    with _alone():
        cls = getattr(_module(package), "ProviderArgs", None)
        return list(_types.input_type_types(cls)) if cls else None


@contextmanager
def _alone() -> Iterator[None]:
    """The SDKs' folders are lazy, and two threads would meet half-way."""
    with _importing, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDKs deprecate parts of themselves
        yield


def _resource_class(token: str) -> type | None:
    if _module(token.partition(":")[0]) is None:
        return None
    for module in rpc._RESOURCE_MODULES.get(token.rpartition(":")[0], []):
        info: Any = module.mod_info  # type: ignore[attr-defined]  # every SDK's registration has it
        if token in info["classes"]:
            found: type = getattr(_folder(info["fqn"]), info["classes"][token])
            return found
    return None


@cache
def _module(package: str) -> Any:
    try:
        return _folder(f"pulumi_{package.replace('-', '_')}")
    except ImportError:
        return None


def _folder(module: str) -> Any:
    found = importlib.import_module(module)
    slim()
    return found


def _arguments_class(cls: type) -> type | None:
    module = sys.modules[cls.__module__]
    names = (f"{cls.__name__}InitArgs", f"{cls.__name__}Args")
    return next((getattr(module, name) for name in names if hasattr(module, name)), None)


def _object(cls: type, objects: Objects) -> str:
    name = f"{cls.__module__}.{cls.__qualname__}"
    if name not in objects:
        objects[name] = {}  # it may be a part of itself
        types = _types.input_type_types(cls)
        described = {key: _type(each, objects) for key, each in types.items()}
        objects[name] = {"types": described, "required": _required(cls)}
    return name


def _required(cls: type) -> list[str]:
    names = _types.input_type_py_to_pulumi_names(cls)
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    return sorted(
        names[name]
        for name, parameter in parameters.items()
        if name in names and parameter.default is inspect.Parameter.empty
    )


def _type(typ: Any, objects: Objects) -> Any:
    if typ is Any or typ is None:
        return None
    typ = _types.unwrap_type(typ)
    origin, arguments = typing.get_origin(typ), typing.get_args(typ)
    if origin is typing.Union:
        members = [each for each in arguments if each is not type(None)]
        return {"union": [_type(each, objects) for each in members]}
    if origin is typing.Literal:
        return {"one_of": list(arguments)}
    if _is(origin, collections.abc.Sequence):
        return {"list": _type((arguments or (Any,))[0], objects)}
    if _is(origin, collections.abc.Mapping):
        return {"map": _type((arguments or (str, Any))[1], objects)}
    if not isinstance(typ, type) or typ is object:
        return None
    return {"object": _object(typ, objects)} if _types.is_input_type(typ) else _scalar(typ)


def _scalar(typ: type) -> str | None:
    return next((name for kinds, name in _SCALARS if issubclass(typ, kinds)), None)


def _outputs(cls: type) -> dict[str, list[Any]]:
    getters = {name: item.fget for name, item in vars(cls).items() if isinstance(item, property)}
    names = _types.resource_py_to_pulumi_names(cls)
    types = _types.resource_types(cls)
    return {
        wire: [not _optional(getters.get(name)), _empty(types.get(wire))]
        for name, wire in names.items()
    }


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

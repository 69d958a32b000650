"""Values on the wire: protobuf Structs with secrets, unknowns and whole numbers.

Secrets are taken out of their envelopes and remembered by path, so that rules see plain values
and the reply has the envelopes again where they were.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

from google.protobuf import struct_pb2

from colony.rehearsal.templates import UNKNOWN

__all__ = ["Path", "Secrets", "decode", "encode", "mask", "plain", "spread", "unmask"]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
MASK = "masked:"
SHORTEST = 4
"""Letters of a secret that are worth looking for elsewhere."""

Path = tuple[str | int, ...]
Secrets = frozenset[Path]


def decode(struct: struct_pb2.Struct) -> tuple[dict[str, Any], Secrets]:
    """Plain values, and the paths of those that are secret."""
    secrets: set[Path] = set()
    value = {key: _decode(item, (key,), secrets) for key, item in struct.fields.items()}
    return value, frozenset(secrets)


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Only the values."""
    return decode(struct)[0]


def encode(value: dict[str, Any], secrets: Secrets = frozenset()) -> struct_pb2.Struct:
    """A Struct in which what is at a secret path is marked as secret."""
    struct = struct_pb2.Struct()
    for key, item in value.items():
        if item is not None:
            struct.fields[key].CopyFrom(_encode(item, (key,), secrets))
    return struct


def mask(value: Any, secrets: Secrets, key: bytes, path: Path = ()) -> Any:
    """The value with every secret replaced by a keyed digest: what may be written to a disk."""
    if path in secrets:
        return MASK + hmac.new(key, repr(value).encode(), hashlib.sha256).hexdigest()[:32]
    if isinstance(value, dict):
        return {name: mask(item, secrets, key, (*path, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [mask(item, secrets, key, (*path, index)) for index, item in enumerate(value)]
    return value


def spread(values: Any, inputs: Any, secrets: Secrets) -> Secrets:
    """The paths of values that are secret: the inputs' own, and whatever repeats their text."""
    texts = {text for path in secrets for text in _texts(_at(inputs, path))}
    repeated = {path for path, text in _leaves(values, ()) if any(part in text for part in texts)}
    return secrets | frozenset(path for path in repeated if not _inside(path, secrets))


def unmask(stored: Any, given: Any, key: bytes) -> Any:
    """The stored value with its masks lifted where the caller's value has the same digest."""
    if isinstance(stored, str) and stored.startswith(MASK):
        same = given is not None and mask(given, frozenset({()}), key) == stored
        return given if same else stored
    if isinstance(stored, dict):
        other = given if isinstance(given, dict) else {}
        return {name: unmask(item, other.get(name), key) for name, item in stored.items()}
    if isinstance(stored, list):
        others = given if isinstance(given, list) and len(given) == len(stored) else stored
        return [unmask(item, other, key) for item, other in zip(stored, others, strict=True)]
    return stored


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif isinstance(value, str):
        yield path, value


def _texts(value: Any) -> set[str]:
    """Short ones and unknowns say nothing."""
    found = {text for _, text in _leaves(value, ())}
    return {text for text in found if len(text) >= SHORTEST and text != UNKNOWN}


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _inside(path: Path, secrets: Secrets) -> bool:
    return any(path[: len(secret)] == secret for secret in secrets)


def _decode(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value, path, secrets)
    if kind == "list_value":
        items = value.list_value.values
        return [_decode(item, (*path, index), secrets) for index, item in enumerate(items)]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def _decode_struct(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    signature = struct.fields[SIGNATURE].string_value if SIGNATURE in struct.fields else ""
    if signature == SECRET:
        secrets.add(path)
        return _decode(struct.fields["value"], path, set())
    if signature == OUTPUT:
        return _decode_output(struct, path, secrets)
    return {key: _decode(item, (*path, key), secrets) for key, item in struct.fields.items()}


def _decode_output(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    if "secret" in struct.fields and struct.fields["secret"].bool_value:
        secrets.add(path)
    return _decode(struct.fields["value"], path, secrets) if "value" in struct.fields else UNKNOWN


def _encode(value: Any, path: Path, secrets: Secrets) -> struct_pb2.Value:
    if path in secrets:
        envelope = struct_pb2.Value()
        envelope.struct_value.fields[SIGNATURE].string_value = SECRET
        inner = _encode(value, path, secrets - {path})
        envelope.struct_value.fields["value"].CopyFrom(inner)
        return envelope
    found = struct_pb2.Value()
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, int | float):
        found.number_value = value
    elif isinstance(value, str):
        found.string_value = value
    elif isinstance(value, dict):
        _fill(found.struct_value, value, path, secrets)
    elif isinstance(value, list | tuple):
        items = [_encode(item, (*path, index), secrets) for index, item in enumerate(value)]
        found.list_value.values.extend(items)
    else:
        found.null_value = struct_pb2.NULL_VALUE
    if isinstance(value, list | tuple) and not value:
        found.list_value.SetInParent()
    return found


def _fill(struct: struct_pb2.Struct, value: dict[str, Any], path: Path, secrets: Secrets) -> None:
    struct.SetInParent()
    for key, item in value.items():
        struct.fields[key].CopyFrom(_encode(item, (*path, key), secrets))

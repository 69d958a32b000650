"""What a structural schema of Kubernetes refuses, without a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["crds_folder", "misfits", "schema_of"]

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
}


def crds_folder() -> Path:
    """The CustomResourceDefinitions that lie beside a checkout; may not be there."""
    default = Path(__file__).parents[2].parent / "shared"
    return Path(os.environ.get("COLONY_SHARED", default)) / "crds"


@cache
def schema_of(file: str, version: str) -> dict[str, Any]:
    """Of one version of one definition, by its path in the folder."""
    text = (crds_folder() / file).read_text(encoding="utf-8")
    definition = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found = [each for each in definition["spec"]["versions"] if each["name"] == version]
    schema: dict[str, Any] = found[0]["schema"]["openAPIV3Schema"]
    return schema


def misfits(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Unknown fields, types, enums, missing fields."""
    if schema.get("x-kubernetes-int-or-string") or "type" not in schema:
        return
    is_bool = isinstance(value, bool) and schema["type"] in ("integer", "number")
    if is_bool or not isinstance(value, TYPES[schema["type"]]):
        yield f"{path}: {value!r} is not {schema['type']}"
    elif schema.get("enum") and value not in schema["enum"]:
        yield f"{path}: {value!r} is not one of {schema['enum']}"
    elif schema["type"] == "array":
        for index, item in enumerate(value):
            yield from misfits(item, schema["items"], f"{path}[{index}]")
    elif schema["type"] == "object":
        yield from _object_misfits(value, schema, path)


def _object_misfits(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}.{name}: missing"
    for name, item in value.items():
        if name in known:
            yield from misfits(item, known[name], f"{path}.{name}")
        elif isinstance(schema.get("additionalProperties"), dict):
            yield from misfits(item, schema["additionalProperties"], f"{path}.{name}")
        elif known and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}.{name}: unknown"

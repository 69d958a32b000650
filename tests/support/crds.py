"""Manifests held against the definitions of their kinds, where no controller can take them.

The definitions lie in `$COLONY_SHARED/crds` (default: `shared/crds` beside the checkout); without
them a test skips. What a structural schema says is checked as an API server with strict field
validation does: unknown fields, types, required, enums, patterns, list keys. Rules in CEL
(`x-kubernetes-validations`) are not.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml

__all__ = ["definitions_of", "folder", "problems", "schema_of", "strict"]

CHECKOUT = Path(__file__).resolve().parents[2]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LOGIC = ("allOf", "anyOf", "oneOf")
UNKNOWN = "unknown field"
META = (
    "name generateName namespace labels annotations finalizers ownerReferences uid resourceVersion"
    " generation creationTimestamp deletionTimestamp deletionGracePeriodSeconds managedFields"
    " selfLink"
).split()
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
OBJECT_META = {
    "type": "object",
    "properties": {**{key: {} for key in META}, "labels": TEXTS, "annotations": TEXTS},
    "additionalProperties": False,
}


def problems(manifest):
    """`path: what is wrong` for everything that the API server would refuse; [] is fine.

    Skips the test where no definitions are there; LookupError for a kind without one.
    """
    schema = schema_of(manifest["apiVersion"], manifest["kind"])
    found = _Validator(schema).iter_errors(manifest)
    return sorted(line for error in found for line in _lines(error))


def folder():
    """Where the definitions are; skips without them."""
    shared = Path(os.environ.get("COLONY_SHARED") or CHECKOUT.parent / "shared")
    if not (shared / "crds").is_dir():
        pytest.skip("no definitions: set COLONY_SHARED to a folder with crds/")
    return shared / "crds"


@cache
def schema_of(api_version, kind):
    """The strict JSON schema of a kind's version."""
    group, _, version = api_version.rpartition("/")
    found = definitions_of(group, kind)
    for each in (each for one in found for each in one["spec"]["versions"]):
        if each["name"] == version and each["served"]:
            return strict(each["schema"]["openAPIV3Schema"], resource=True)
    what = f"no served version {version} of {kind}" if found else f"no definition of {kind}"
    raise LookupError(f"{what} in {group}")


@cache
def definitions_of(group, kind):
    """The CustomResourceDefinitions of a kind: two projects may ship different versions of it."""
    found = []
    for path in sorted(folder().glob("*/*.yaml")):
        text = path.read_text()
        if f"group: {group}" not in text or f"kind: {kind}" not in text:
            continue
        for one in yaml.load_all(text, Loader=LOADER):
            if one and (one["spec"]["group"], one["spec"]["names"]["kind"]) == (group, kind):
                found.append(one)
    return found


def strict(schema, resource=False):
    """A structural schema as JSON schema (draft 4) that refuses what would be pruned."""
    out = _values(schema)
    if schema.get("x-kubernetes-int-or-string"):
        kept = {key: out[key] for key in ("pattern", "enum") if key in out}
        return _nullable(schema, {**kept, "type": ["integer", "string"]})
    inner = schema.get("properties") or {}
    if inner:
        out["properties"] = {name: strict(each) for name, each in inner.items()}
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        out["items"] = strict(schema["items"])
    resource = resource or schema.get("x-kubernetes-embedded-resource", False)
    if resource:
        meta = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        out["properties"] = {**out.get("properties", {}), **meta, "metadata": OBJECT_META}
    if schema.get("type") == "object" and not _open(schema):
        out["additionalProperties"] = False
    return _nullable(schema, out)


def _values(schema):
    """What says something about values; logical parts never say which fields there are."""
    plain = (
        "type", "enum", "pattern", "required", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems",
        "uniqueItems", "minProperties", "maxProperties", "x-kubernetes-list-map-keys",
    )  # fmt: skip
    out = {key: schema[key] for key in plain if key in schema}
    if schema.get("x-kubernetes-list-type") == "set":
        out["uniqueItems"] = True
    for key in LOGIC:
        if key in schema:
            out[key] = [_logic(each) for each in schema[key]]
    if "not" in schema:
        out["not"] = _logic(schema["not"])
    return out


def _logic(schema):
    out = _values(schema)
    if "properties" in schema:
        out["properties"] = {name: _logic(each) for name, each in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        out["items"] = _logic(schema["items"])
    return out


def _open(schema):
    return schema.get("x-kubernetes-preserve-unknown-fields", False) or schema.get(
        "additionalProperties"
    ) not in (None, False)


def _nullable(schema, out):
    if not schema.get("nullable"):
        return out
    return {"anyOf": [{"type": "null"}, out]}


def _map_keys(validator, keys, instance, schema):
    """Two items of a list with the same key are one too many."""
    if not isinstance(instance, list):
        return
    seen = [
        tuple(repr(item.get(key)) for key in keys) for item in instance if isinstance(item, dict)
    ]
    for twice in sorted({each for each in seen if seen.count(each) > 1}):
        yield jsonschema.ValidationError(f"duplicate {'/'.join(keys)} {', '.join(twice)}")


def _no_more(validator, allowed, instance, schema):
    if allowed is not False or not isinstance(instance, dict):
        yield from jsonschema.Draft4Validator.VALIDATORS["additionalProperties"](
            validator, allowed, instance, schema
        )
        return
    for name in sorted(instance.keys() - schema.get("properties", {}).keys()):
        yield jsonschema.ValidationError(UNKNOWN, path=[name])


_Validator = jsonschema.validators.extend(
    jsonschema.Draft4Validator,
    {"x-kubernetes-list-map-keys": _map_keys, "additionalProperties": _no_more},
)


def _lines(error):
    """Of alternatives, what is wrong with the one that is not `null`."""
    if error.validator == "anyOf" and {"type": "null"} in error.validator_value:
        for inner in error.context:
            if inner.schema != {"type": "null"}:
                yield from _lines(inner)
        return
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path]
    yield f"{''.join(steps).lstrip('.')}: {error.message[:300]}"

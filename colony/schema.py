"""The JSON schema of the files, with the descriptions that stand beside the fields in the code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from pydantic.json_schema import models_json_schema

import components.access
import components.health_spec
import components.hosts
import components.idle_spec
import components.layer_spec
import components.pool_spec
import components.signal_spec
import components.spec
import jobs.policy
import jobs.recovery
import jobs.resources
import jobs.role
import jobs.spec
from colony.kinds import API_VERSION, COLONY, JOB
from colony.secret_refs import FORMS
from components.spec import ColonySpec
from jobs.spec import Job

__all__ = ["file_schema"]

_MODULES = (
    jobs.spec, jobs.role, jobs.policy, jobs.recovery, jobs.resources,
    components.spec, components.pool_spec, components.access,
    components.health_spec, components.hosts, components.idle_spec, components.layer_spec,
    components.signal_spec,
)  # fmt: skip
"""Those with the models' fields."""


def file_schema() -> dict[str, Any]:
    """One schema that accepts a Colony document or a Job document (not a SkyPilot task)."""
    _, schema = models_json_schema(
        [(ColonySpec, "validation"), (Job, "validation")],
        ref_template="#/$defs/{model}",
    )
    definitions: dict[str, Any] = schema["$defs"]
    _describe(definitions)
    _allow_references(definitions["Job"]["properties"]["secrets"])
    definitions[COLONY] = _document(COLONY, definitions["ColonySpec"])
    definitions[f"{JOB}Document"] = _document(JOB, definitions["Job"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Colony file",
        "description": "Each document of a file is a Colony or a Job.",
        "oneOf": [{"$ref": f"#/$defs/{COLONY}"}, {"$ref": f"#/$defs/{JOB}Document"}],
        "$defs": definitions,
    }


def _document(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """A model as a document: with `apiVersion` and `kind`."""
    head = {
        "apiVersion": {"const": API_VERSION, "description": "The version of the format."},
        "kind": {"const": kind, "description": "What this document is."},
    }
    required = [*head, *body.get("required", ())]
    return {**body, "title": kind, "properties": head | body["properties"], "required": required}


def _allow_references(secrets: dict[str, Any]) -> None:
    """Files may refer to a secret where the model holds its value."""
    references = [{"type": "object", "additionalProperties": False, **form} for form in FORMS]
    secrets["additionalProperties"] = {"anyOf": [secrets["additionalProperties"], *references]}


def _describe(definitions: dict[str, Any]) -> None:
    for module in _MODULES:
        for model, field, text in _docstrings(module):
            properties = definitions.get(model, {}).get("properties", {})
            if field in properties:
                properties[field].setdefault("description", text)


def _docstrings(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    """(class, field, text) of each string that follows a field."""
    classes = [n for n in ast.parse(inspect.getsource(module)).body if isinstance(n, ast.ClassDef)]
    for node in classes:
        for field, after in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                yield from ((node.name, field.target.id, text) for text in _text(after))


def _text(node: ast.stmt) -> Iterator[str]:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield inspect.cleandoc(value.value)

"""From pydantic's errors to problems a person can act on: full path, few words, near matches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jobs.errors import Problem
from jobs.problems import did_you_mean, near, printable

__all__ = ["at", "check", "dotted", "problems_of", "unknown_field"]

M = TypeVar("M", bound=BaseModel)

_PRIVATE = frozenset({"secrets", "envs"})
"""Fields whose values are never repeated in a message."""

_SYNONYMS = {
    "env": "envs",
    "gpu": "accelerators",
    "gpus": "accelerators",
    "infra": "cloud",
    "metadata": "name",
    "num_nodes": "nodes",
    "replicas": "nodes",
    "spot": "use_spot",
    "timeout": "max_run_time",
    "use_spot": "spot",
}

_WORDS: dict[str, str] = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping (`key: value` lines)",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list (`- item` lines)",
    "model_type": "must be a mapping (`key: value` lines)",
    "model_attributes_type": "must be a mapping (`key: value` lines)",
    "string_type": "must be text",
    "string_unicode": "must be text that UTF-8 can hold",
}

_BOUNDS: dict[str, tuple[str, str]] = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
}


def check(model: type[M], data: object) -> tuple[M | None, list[Problem]]:
    """The validated model, or None and every problem found."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, problems_of(error, model)


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every problem of a validation, in the order of the file."""
    return [p for detail in error.errors(include_url=False) for p in _problems(detail, model)]


def at(prefix: str, problem: Problem) -> Problem:
    """The same problem, seen from further out."""
    return type(problem)(_join(prefix, problem.path), problem.message, problem.hint)


def dotted(location: Iterable[object]) -> str:
    """`("clusters", 0, "name")` -> `clusters[0].name`."""
    path = ""
    for part in location:
        path = _join(path, f"[{part}]" if isinstance(part, int) else printable(part))
    return path


def unknown_field(path: str, name: str, known: Iterable[str]) -> Problem:
    """An unknown field, with its near match."""
    names = list(known)
    synonym = _SYNONYMS.get(name)
    if synonym in names and name.lower() not in (n.lower() for n in near(name, names, 1)):
        return Problem(path, "unknown field", f"did you mean `{synonym}`?")
    return Problem(path, "unknown field", did_you_mean(name, names, _choices(names)))


def _problems(detail: ErrorDetails, model: type[BaseModel]) -> list[Problem]:
    location = [part for part in detail["loc"] if part != "[key]"]
    path = dotted(location)
    context: dict[str, Any] = detail.get("ctx", {})
    if detail["type"] == "refused":
        return [at(path, problem) for problem in context["problems"]]
    if detail["type"] == "extra_forbidden":
        return [unknown_field(path, str(location[-1]), _fields(model, location[:-1]))]
    if detail["type"] == "missing":
        return [Problem(path, "required")]
    if detail["input"] is None and set(location[:-1]) & _PRIVATE:
        return [_null(path, str(location[-1]), "secrets" in location)]
    return [_worded(detail, path, _PRIVATE.isdisjoint(location))]


def _null(path: str, name: str, secret: bool) -> Problem:
    """A variable without a value; a secret is better not in the arguments of a process."""
    given = f"{name} (taken from your environment)" if secret else f"{name}=VALUE"
    return Problem(path, "required: it has no value", f"give it with --env {given}")


def _worded(detail: ErrorDetails, path: str, may_show: bool) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    given = f", not {_shown(detail['input'])}" if may_show else ""
    if kind in _BOUNDS:
        words, limit = _BOUNDS[kind]
        return Problem(path, f"{words} {context[limit]:g}{given}")
    if kind == "enum":
        return _enum(detail, path, given)
    hint = "put it in quotes" if kind == "string_type" and _unquoted(detail["input"]) else ""
    return Problem(path, f"{_WORDS.get(kind, detail['msg'])}{given}", hint)


def _enum(detail: ErrorDetails, path: str, given: str) -> Problem:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    names = [word.strip("' ") for word in expected.replace(" or ", ",").split(",")]
    message = f"must be one of {', '.join(names)}{given}"
    return Problem(path, message, did_you_mean(str(detail["input"]), names))


def _shown(value: object) -> str:
    named: list[tuple[type, Callable[[Any], str]]] = [
        (bool, lambda v: str(v).lower()),
        (dict, lambda v: "a mapping"),
        (list, lambda v: "a list"),
        (type(None), lambda v: "empty"),
    ]
    return next((show(value) for kind, show in named if isinstance(value, kind)), printable(value))


def _unquoted(value: object) -> bool:
    """A number, or `{NAME}`, which YAML reads as a mapping to nothing."""
    if isinstance(value, dict):
        return bool(value) and all(inner is None for inner in value.values())
    return isinstance(value, (bool, int, float))


def _choices(names: list[str]) -> str:
    return f"known here: {', '.join(names)}" if names else ""


def _join(prefix: str, path: str) -> str:
    return f"{prefix}{path}" if not prefix or not path or path[0] == "[" else f"{prefix}.{path}"


def _fields(model: type[BaseModel], location: list[Any]) -> list[str]:
    """The field names of the model found at `location` inside `model`."""
    here: Any = model
    for part in location:
        here = _step(here, part)
    return list(here.model_fields) if _is_model(here) else []


def _step(annotation: Any, part: Any) -> Any:
    """The annotation one step further in: of a field, or of the items of a list or mapping."""
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        return _bare(field.annotation) if field else None
    inner = get_args(annotation)
    return _bare(inner[-1]) if inner else None


def _bare(annotation: Any) -> Any:
    """`X` of `X | None`."""
    options = get_args(annotation)
    if type(None) not in options:
        return annotation
    return next(option for option in options if option is not type(None))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)

"""ScaleIn and ScaleOut of the et-operator become one request. What it lacks is refused by name.

The fields are those of kai.alibabacloud.com/v1alpha1 (config/crd/bases of the et-operator).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import InputError, Problem
from jobs.names import check_variables
from jobs.problems import did_you_mean, printable

__all__ = ["API_VERSION", "KINDS", "Scale", "import_scale"]

API_VERSION = "kai.alibabacloud.com/v1alpha1"
KINDS = {"ScaleIn": "in", "ScaleOut": "out"}
_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_SPEC = ("selector", "toAdd", "toDelete", "timeout", "script", "env", "backoffLimit")


@dataclass(frozen=True)
class Scale:
    """One scaling that is asked for: by count, or by names."""

    job: str
    kind: str
    """in or out."""
    count: int | None = None
    names: list[str] | None = None
    timeout: int | None = None
    """Seconds; None = the job's own."""
    script: str = ""
    env: dict[str, str] = field(default_factory=dict)
    namespace: str = ""
    warnings: list[Problem] = field(default_factory=list)


def import_scale(document: Mapping[str, Any]) -> Scale:
    """Raises InputError with the path of each mistake."""
    kind = document.get("kind")
    if kind not in KINDS or document.get("apiVersion") != API_VERSION:
        hint = f"{' or '.join(KINDS)} of {API_VERSION}"
        raise InputError(Problem("kind", f"{printable(kind)} asks for no scaling", hint))
    problems: list[Problem] = []
    spec = _mapping(document, "spec", problems)
    _unknown(document, _TOP, "", problems)
    other = "toDelete" if kind == "ScaleOut" else "toAdd"
    _unknown(spec, [name for name in _SPEC if name != other], "spec.", problems)
    count, names = _what(str(kind), spec, problems)
    scale = Scale(
        job=_job(spec, problems),
        kind=KINDS[str(kind)],
        count=count,
        names=names,
        timeout=_whole(spec, "timeout", "spec.", problems),
        script=_script(spec, problems),
        env=_env(spec, problems),
        namespace=str(_mapping(document, "metadata", problems).get("namespace") or ""),
        warnings=_warnings(spec),
    )
    if problems:
        raise InputError(*problems)
    return scale


def _what(
    kind: str, spec: Mapping[str, Any], problems: list[Problem]
) -> tuple[int | None, list[str] | None]:
    key = "toAdd" if kind == "ScaleOut" else "toDelete"
    if not isinstance(spec.get(key), Mapping):
        problems.append(Problem(f"spec.{key}", "required", "count, or podNames for a ScaleIn"))
        return None, None
    change = spec[key]
    path = f"spec.{key}."
    _unknown(change, ("count",) if kind == "ScaleOut" else ("count", "podNames"), path, problems)
    count, names = _whole(change, "count", path, problems), change.get("podNames")
    if kind == "ScaleOut":
        if count is None and "count" not in change:
            problems.append(Problem(f"{path}count", "required"))
        return count, None
    if names is not None and not _is_names(names):
        problems.append(Problem(f"{path}podNames", "must be a list of names"))
    elif (count is None) == (not names):
        message = "both count and podNames" if names else "neither count nor podNames"
        problems.append(Problem(f"spec.{key}", f"has {message}", "give one of them"))
    return count, list(names) if _is_names(names) and names else None


def _job(spec: Mapping[str, Any], problems: list[Problem]) -> str:
    selector = _mapping(spec, "selector", problems, "spec.")
    _unknown(selector, ("name",), "spec.selector.", problems)
    name = selector.get("name")
    if isinstance(name, str) and name:
        return name
    problems.append(Problem("spec.selector.name", "required", "the job's name"))
    return ""


def _script(spec: Mapping[str, Any], problems: list[Problem]) -> str:
    script = spec.get("script") or ""
    if not isinstance(script, str):
        problems.append(Problem("spec.script", "must be text"))
        return ""
    return script


def _env(spec: Mapping[str, Any], problems: list[Problem]) -> dict[str, str]:
    found: dict[str, str] = {}
    rows = spec.get("env") or []
    for index, row in enumerate(rows if isinstance(rows, list) else [rows]):
        path = f"spec.env[{index}]"
        if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
            problems.append(Problem(path, "must have a name and a value"))
            continue
        _unknown(row, ("name", "value"), f"{path}.", problems)
        found[row["name"]] = str(row.get("value") or "")
    try:
        check_variables(found)
    except ValueError as error:
        problems.append(Problem("spec.env", str(error)))
    return found


def _warnings(spec: Mapping[str, Any]) -> list[Problem]:
    if spec.get("backoffLimit") is None:
        return []
    return [Problem("spec.backoffLimit", "not honoured: a scaling that fails is taken back")]


def _whole(where: Mapping[str, Any], key: str, path: str, problems: list[Problem]) -> int | None:
    """At least 1. A count of 0 is Go's way of saying that there is none, where names are given."""
    value = where.get(key)
    if value is None or (key == "count" and value == 0 and where.get("podNames")):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    problems.append(Problem(f"{path}{key}", f"must be a whole number of at least 1, not {value!r}"))
    return None


def _mapping(
    where: Mapping[str, Any], key: str, problems: list[Problem], path: str = ""
) -> Mapping[str, Any]:
    value = where.get(key) or {}
    if isinstance(value, Mapping):
        return value
    problems.append(Problem(f"{path}{key}", "must be a mapping"))
    return {}


def _unknown(where: Mapping[str, Any], known: Any, path: str, problems: list[Problem]) -> None:
    for key in where:
        if key not in known:
            hint = did_you_mean(str(key), known, f"known: {', '.join(known)}")
            problems.append(Problem(f"{path}{printable(key)}", "unknown field", hint))


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)

"""One map of resources is read: what is unknown, contradictory or without effect is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.data import load
from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.importers.sky.entry import Entry
from jobs.problems import NotHonoured, printable
from jobs.wording import at, check

__all__ = ["PLACE", "Part", "infra_twice", "read_part", "tell_idle"]

PLACE = ("cloud", "region", "zone")


@dataclass(frozen=True)
class Part:
    """What one map says. `paths` are where its fields stand."""

    values: dict[str, Any] = field(default_factory=dict)
    """Of an `Entry`: those that were written."""
    paths: dict[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""


def read_part(result: Imported, given: Mapping[str, Any], path: str) -> Part:
    """A problem in `result` for everything that is wrong."""
    facts = load("importers/skypilot.yaml")["resources"]
    tell_idle(result, given, f"{path}.", facts)
    idle = {*facts["not_honoured"], *facts["ignored"]}
    internal = {"hooks", *(name for name in idle if name.startswith("_"))}
    if "hooks" in given:
        hint = "SkyPilot has `config.hooks`"
        result.problems.append(Problem(f"{path}.hooks", "unknown field", hint))
    entry, problems = check(Entry, {k: v for k, v in given.items() if k not in internal})
    result.problems += [at(path, problem) for problem in problems]
    if entry is None:
        return Part(raw=given, path=path)
    values = {name: getattr(entry, name) for name in entry.model_fields_set}
    values = {name: value for name, value in values.items() if value is not None}
    paths = {name: f"{path}.{name}" for name in values}
    part = Part(values, paths, given, path)
    result.problems += [*_two_names(part), *infra_twice(part)]
    return part


def tell_idle(
    result: Imported, given: Mapping[str, Any], prefix: str, facts: Mapping[str, Any]
) -> None:
    """A warning for each field without effect, unless it asks for nothing."""
    unset = load("importers/skypilot.yaml")["unset"]
    for key in given:
        path = f"{prefix}{printable(key)}"
        if given[key] in unset.get(key, ()):
            continue
        if key in facts["not_honoured"]:
            result.warnings.append(NotHonoured(path, "not honoured", facts["not_honoured"][key]))
        elif key in facts["ignored"]:
            result.warnings.append(Problem(path, f"not used: {facts['ignored'][key]}"))


def infra_twice(part: Part) -> Iterable[Problem]:
    """`infra` beside the older fields."""
    older = [name for name in PLACE if name in part.values]
    if "infra" in part.values and older:
        message = f"says the same as {', '.join(older)}"
        yield Problem(part.paths["infra"], message, "keep infra alone")


def _two_names(part: Part) -> Iterable[Problem]:
    """`gpus` becomes `accelerators`."""
    if "gpus" not in part.values:
        return
    path = part.paths.pop("gpus")
    if "accelerators" in part.values:
        yield Problem(path, "is another name of `accelerators`", "keep one of them")
    part.values["accelerators"] = part.values.pop("gpus")
    part.paths["accelerators"] = path

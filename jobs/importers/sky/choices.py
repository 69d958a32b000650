"""The candidates of a task: `any_of`, `ordered`, and accelerators of several kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.clouds import KUBERNETES
from jobs.data import load
from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.importers.sky.accelerators import Gpus, Wanted
from jobs.importers.sky.reading import PLACE, Part, infra_twice, read_part
from jobs.problems import kindless, printable
from jobs.spec import Preference

__all__ = ["Candidate", "Choice", "read_choice"]

_CHOICES = ("any_of", "ordered")
_PATH = "resources"
_TPUS = "gcp"
"""The cloud that has them, its Kubernetes included."""


@dataclass(frozen=True)
class Candidate:
    """One way to run the task."""

    gpus: Gpus | None
    place: dict[str, str]
    """cloud, region, zone, in SkyPilot's terms."""
    values: dict[str, Any]
    """The other fields of an `Entry`."""
    paths: dict[str, str] = field(default_factory=dict, compare=False)
    """Where each field stands in the task."""
    path: str = field(default=_PATH, compare=False)

    @property
    def unbuilt(self) -> str:
        """What nothing here can run on, or empty."""
        cloud = self.place.get("cloud")
        if cloud and cloud in load("unbuilt.yaml")["clouds"]:
            return kindless(cloud, ()).message
        return f"{self.gpus.unbuilt}: not built yet" if self.gpus and self.gpus.unbuilt else ""


@dataclass(frozen=True)
class Choice:
    """At least one candidate, none of them twice. any = the cheapest, whatever the order."""

    preference: Preference
    candidates: list[Candidate]


def read_choice(result: Imported, resources: object) -> Choice | None:
    """None where there are problems; they are in `result` then."""
    before = len(result.problems)
    given = {} if resources is None else resources
    if not isinstance(given, dict):
        shape = "a list" if isinstance(given, list) else printable(given)
        message = f"must be a mapping (`key: value` lines), not {shape}"
        result.problems.append(Problem(_PATH, message))
        return None
    given = _without_null(given)
    base = read_part(result, {k: v for k, v in given.items() if k not in _CHOICES}, _PATH)
    items = [item for key in _CHOICES for item in _items(result, key, given.get(key))]
    if len(result.problems) == before:
        result.problems += _contradictions(base, given)
    made = _candidates(base, items) if len(result.problems) == before else []
    result.problems += dict.fromkeys(problem for one in made for problem in _misplaced(one))
    if len(result.problems) > before:
        return None
    return Choice(_preference(base, given), made)


def _items(result: Imported, key: str, given: Any) -> Iterator[Part]:
    path = f"{_PATH}.{key}"
    if given is not None and not isinstance(given, list):
        result.problems.append(Problem(path, "must be a list (`- item` lines)"))
        return
    for index, item in enumerate(given or []):
        here = f"{path}[{index}]"
        if not isinstance(item, dict):
            result.problems.append(Problem(here, "must be a mapping (`key: value` lines)"))
            continue
        item = _without_null(item)
        nested = [name for name in _CHOICES if name in item]
        for name in nested:
            hint = "write all candidates in one list"
            result.problems.append(Problem(f"{here}.{name}", "a choice inside a choice", hint))
        part = read_part(result, {k: v for k, v in item.items() if k not in nested}, here)
        result.problems += _one_kind(part)
        yield part


def _one_kind(part: Part) -> Iterator[Problem]:
    for name in ("accelerators", "gpus"):
        value = part.raw.get(name)
        if isinstance(value, (list, dict, set)) and len(value) > 1:
            hint = "write an item for each"
            yield Problem(f"{part.path}.{name}", "several kinds in one candidate", hint)


def _contradictions(base: Part, given: dict[str, Any]) -> Iterator[Problem]:
    """Between the choices that one task may make."""
    if given.get("any_of") and given.get("ordered"):
        yield Problem(f"{_PATH}.ordered", "excludes `any_of`", "keep one of them")
    wanted: Wanted | None = base.values.get("accelerators")
    if wanted is None or len(wanted.kinds) == 1:
        return
    path = base.paths["accelerators"]
    if given.get("ordered"):
        yield Problem(path, "several kinds beside `ordered`", "write an item for each")
    elif given.get("any_of") and wanted.ordered:
        hint = "write them as a set: {A100:1, L4:1}"
        yield Problem(path, "an order of kinds beside `any_of`", hint)


def _preference(base: Part, given: dict[str, Any]) -> Preference:
    wanted: Wanted | None = base.values.get("accelerators")
    in_order = bool(given.get("ordered")) or bool(wanted and wanted.ordered)
    return Preference.ORDERED if in_order else Preference.ANY


def _candidates(base: Part, items: list[Part]) -> list[Candidate]:
    found: list[Candidate] = []
    for kind in _kinds(base):
        for item in items or [Part(path=_PATH)]:
            part = _over(base, item)
            own = _kinds(item) if "accelerators" in item.values else [kind]
            found += [c for each in own if (c := _candidate(part, each)) not in found]
    return found


def _kinds(part: Part) -> list[Gpus | None]:
    wanted: Wanted | None = part.values.get("accelerators")
    return list(wanted.kinds) if wanted else [None]


def _over(base: Part, item: Part) -> Part:
    """The item's fields win; labels are joined."""
    values = {**base.values, **item.values}
    if "labels" in item.values:
        values["labels"] = {**base.values.get("labels", {}), **item.values["labels"]}
    return Part(values, {**base.paths, **item.paths}, item.raw, item.path)


def _candidate(part: Part, gpus: Gpus | None) -> Candidate:
    older = {name: part.values[name] for name in PLACE if name in part.values}
    others = {k: v for k, v in part.values.items() if k not in ("accelerators", "infra", *PLACE)}
    place = part.values.get("infra", older)
    if gpus and gpus.is_tpu and "cloud" not in place:
        place = {"cloud": _TPUS, **place}
    return Candidate(gpus, place, others, part.paths, part.path)


def _misplaced(one: Candidate) -> Iterator[Problem]:
    """What contradicts itself only when a base and an item are put together."""
    values = {name: one.place for name in ("infra", *PLACE) if name in one.paths}
    yield from infra_twice(Part(values, one.paths))
    cloud = one.place.get("cloud")
    if one.gpus and one.gpus.is_tpu and cloud not in (_TPUS, KUBERNETES):
        path = one.paths["accelerators"]
        yield Problem(path, f"{one.gpus.name} is not on {cloud}", f"TPUs are on {_TPUS}")


def _without_null(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}

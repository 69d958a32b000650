"""From candidates to fields of a Job: resources, alternatives, image, queue, recovery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.importers.sky.choices import Candidate, Choice
from jobs.importers.sky.entry import NetworkTier
from jobs.importers.sky.lifetime import Autostop, Recovery, WaitFor
from jobs.importers.sky.place import settled
from jobs.problems import NotHonoured, printable

__all__ = ["Fields", "job_fields"]

_SAME = ("cpus", "memory", "instance_type", "use_spot", "labels")
_RENAMED = {"max_hourly_cost": "max_price"}
_QUEUE = "kueue.x-k8s.io/queue-name"
_PRIORITY = "kueue.x-k8s.io/priority-class"
_LONGEST_RUN = ("max-run-duration-seconds", "maxRunDurationSeconds")
_DOCKER = "docker:"


@dataclass(frozen=True)
class Fields:
    """`paths` say where each field of `data` stands in the task."""

    data: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)


def job_fields(result: Imported, choice: Choice) -> Fields:
    """Fields of the Job; what only the first candidate has a place for must be in all of them."""
    built = _built(result, choice.candidates)
    made = Fields()
    needs = [_need(one, place, made.paths) for place, one in enumerate(built)]
    made.data["resources"] = needs[0]
    if len(needs) > 1:
        made.data["alternatives"] = needs[1:]
        made.data["preference"] = choice.preference
    first = built[0]
    for told in (_image, _labels, _lifetime):
        told(result, first, made)
    result.warnings += dict.fromkeys(_differing(built))
    return made


def _built(result: Imported, candidates: list[Candidate]) -> list[Candidate]:
    """Those that something here can run; if there are none, the first without what is not."""
    built = [one for one in candidates if not one.unbuilt]
    for one in candidates:
        if one.unbuilt and built:
            message = f"left out of the candidates: {one.unbuilt}"
            result.warnings.append(Problem(_where(one), message))
        elif one.unbuilt:
            message = f"not honoured: {one.unbuilt}"
            result.warnings.append(NotHonoured(_where(one), message))
    first = candidates[0]
    return built or [Candidate(None, {}, first.values, first.paths, first.path)]


def _where(one: Candidate) -> str:
    name = "accelerators" if one.gpus and one.gpus.unbuilt else "infra"
    return one.paths.get(name) or one.paths.get("cloud") or one.path


def _need(one: Candidate, place: int, paths: dict[str, str]) -> dict[str, Any]:
    """One `Resources`."""
    ours = "resources" if place == 0 else f"alternatives[{place - 1}]"
    need = {name: one.values[name] for name in _SAME if name in one.values}
    for theirs, name in _RENAMED.items():
        if theirs in one.values:
            need[name] = one.values[theirs]
            paths[f"{ours}.{name}"] = one.paths[theirs]
    paths.update({f"{ours}.{name}": path for name, path in one.paths.items()})
    region = one.paths.get("infra") or one.paths.get("region") or one.path
    paths[f"{ours}.context"] = region
    if "infra" in one.paths:
        paths.update({f"{ours}.{part}": one.paths["infra"] for part in ("cloud", "region", "zone")})
    paths.setdefault(ours, one.path)
    if one.gpus:
        need["accelerators"] = str(one.gpus)
    return {**need, **settled(one.place)}


def _image(result: Imported, one: Candidate, made: Fields) -> None:
    image, path = one.values.get("image_id"), one.paths.get("image_id", "")
    if image is None:
        return
    made.paths["image"] = path
    if not isinstance(image, str):
        message = "not honoured: an image for each region"
        result.warnings.append(NotHonoured(path, message, "write docker:IMAGE"))
    elif image.startswith(_DOCKER):
        made.data["image"] = image.removeprefix(_DOCKER)
    else:
        message = f"not honoured: the machine image {printable(image)}"
        result.warnings.append(NotHonoured(path, message, "write docker:IMAGE"))


def _labels(result: Imported, one: Candidate, made: Fields) -> None:
    """All labels stay on the resources; some of them say what a Job has fields for."""
    if "priority_class" in one.values:
        made.data["priority"] = one.values["priority_class"]
        made.paths["priority"] = one.paths["priority_class"]
    labels, path = one.values.get("labels", {}), one.paths.get("labels", "")
    known = {_QUEUE: "queue", _PRIORITY: "priority"}
    for label, name in (known | dict.fromkeys(_LONGEST_RUN, "max_run_time")).items():
        if label in labels:
            made.data[name] = labels[label]
            made.paths[name] = f"{path}.{label}"


def _lifetime(result: Imported, one: Candidate, made: Fields) -> None:
    recovery, stop = one.values.get("job_recovery"), one.values.get("autostop")
    if isinstance(recovery, Recovery):
        _recovery(recovery, one.paths["job_recovery"], made)
    if isinstance(stop, Autostop):
        ours = "context" not in made.data["resources"]
        _autostop(result, stop, one.paths["autostop"], ours)
    if one.values.get("network_tier") == NetworkTier.BEST:
        message = "not used: RDMA is, wherever the machine has it"
        hint = "to insist on it, write a Job with `rdma: true`"
        result.warnings.append(Problem(one.paths["network_tier"], message, hint))


def _recovery(recovery: Recovery, path: str, made: Fields) -> None:
    """What is not written has the same default here."""
    made.data["recovery"] = recovery.model_dump(mode="json", exclude_none=True)
    made.paths["recovery"] = path


def _autostop(result: Imported, stop: Autostop, path: str, ours: bool) -> None:
    """Nothing of a colony can be stopped but its machines: they go, and its control plane stays."""
    if stop.hooks:
        message = "not honoured"
        result.warnings.append(NotHonoured(f"{path}.hook", message, "nothing runs before the end"))
        return
    if not stop.enabled or stop.idle_minutes < 0:
        return
    if not (ours or stop.down):
        message = "not used: the machines of that cluster are not ours to stop"
        result.warnings.append(Problem(path, message, "with `down: true` the colony ends"))
        return
    wait_for = (stop.wait_for or WaitFor.JOBS_AND_SSH).value
    seconds = max(1, stop.idle_minutes) * 60
    result.idle = {"delete" if stop.down else "stop": seconds, "wait_for": wait_for}


def _differing(built: list[Candidate]) -> Iterator[Problem]:
    """A Job has one image, one queue and one policy."""
    names = ("image_id", "priority_class", "job_recovery", "autostop", "network_tier")
    for one in built[1:]:
        for name in names:
            if one.values.get(name) != built[0].values.get(name):
                path = one.paths.get(name, one.path)
                message = "not honoured: a different one for each candidate"
                yield NotHonoured(path, message, f"write one `{name}` for all")

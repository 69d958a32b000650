"""A SkyPilot task becomes a Job. What is not built yet is refused by name, never ignored.

The fields and their forms are those of SkyPilot 0.14; konduktor reads the same files and adds
the label for the longest run time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jobs.data import load
from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.names import slugify
from jobs.problems import NotHonoured, printable, refuse, unbuilt
from jobs.spec import Job
from jobs.wording import check, unknown_field

__all__ = ["TASK_FIELDS", "Imported", "import_task"]

TASK_FIELDS = ("name", "workdir", "num_nodes", "resources", "setup", "run", "envs", "secrets")
_RESOURCES = (
    "accelerators", "gpus", "infra", "cloud", "region", "zone", "cpus", "memory", "instance_type",
    "use_spot", "labels", "image_id",
)  # fmt: skip
_AS_THEY_ARE = ("accelerators", "cpus", "memory", "instance_type", "use_spot")

_QUEUE = "kueue.x-k8s.io/queue-name"
_PRIORITY = "kueue.x-k8s.io/priority-class"
_LONGEST_RUN = ("max-run-duration-seconds", "maxRunDurationSeconds")

_NAME = re.compile(r"[a-zA-Z0-9]+(?:[._-]{1,2}[a-zA-Z0-9]+)*")
_KUBERNETES = ("k8s", "kubernetes")


def import_task(task: dict[str, Any], stem: str) -> Imported:
    """The Job of a task; `stem` (of the file's name) names a task without a name."""
    result = Imported()
    task = _given(task)
    known = load("unbuilt.yaml")["skypilot"]
    _sort_out(result, task, "", TASK_FIELDS, known["task"], known["not_honoured"])
    if {"service", "pool"} <= set(task):
        result.problems.append(Problem("pool", "excludes `service`", "keep one of them"))
    _no_registry(result, task)
    paths = dict(_PATHS)
    data = {
        **_name(result, task, stem),
        **_plain(result, task),
        **_resources(result, task.get("resources", {}), paths),
    }
    job, problems = check(Job, data)
    result.problems += [_renamed(problem, paths) for problem in problems]
    result.job = None if result.problems else job
    if not str(task.get("run", "")).strip():
        result.warnings.append(Problem("run", "nothing to run", "the job ends after its setup"))
    return result


_PATHS = {
    "image": "resources.image_id",
    "max_run_time": f"resources.labels.{_LONGEST_RUN[0]}",
    "nodes": "num_nodes",
    "priority": f"resources.labels.{_PRIORITY}",
    "queue": f"resources.labels.{_QUEUE}",
    "resources.context": "resources.region",
}
"""Where a field of the Job stands in a task."""


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _sort_out(
    result: Imported,
    given: dict[str, Any],
    prefix: str,
    built: Iterable[str],
    later: Iterable[str],
    idle: Iterable[str] = (),
) -> None:
    """A problem for each field that is unknown or not built, a warning for each without effect."""
    known = [*built, *later, *idle]
    for key in given:
        path = f"{prefix}{printable(key)}"
        if key in idle:
            hint = f"plan and run refuse a task with a {key}"
            result.warnings.append(NotHonoured(path, "not honoured", hint))
        elif key in later:
            result.problems.append(unbuilt(f"SkyPilot's `{key}`", path))
        elif key == "hooks" and prefix:
            result.problems.append(Problem(path, "unknown field", "SkyPilot has `config.hooks`"))
        elif key not in built:
            result.problems.append(unknown_field(path, key, known))


def _no_registry(result: Imported, task: dict[str, Any]) -> None:
    for group in ("envs", "secrets"):
        for key in _mapping(task.get(group)):
            if key.startswith("SKYPILOT_DOCKER_"):
                result.problems.append(unbuilt("logging in to a registry", f"{group}.{key}"))
    managed = [key for key in _mapping(task.get("secrets")) if key.startswith("secrets:")]
    if managed or isinstance(task.get("secrets"), list):
        result.problems.append(unbuilt("managed secrets", "secrets", "write `NAME: value`"))


def _name(result: Imported, task: dict[str, Any], stem: str) -> dict[str, Any]:
    given = task.get("name", stem)
    if not isinstance(given, str):
        return {"name": given}
    if "name" in task and not _NAME.fullmatch(given):
        message = f"{printable(given)} is not a valid name"
        hint = "letters and digits, with `-`, `_` or `.` between them"
        result.problems.append(Problem("name", message, hint))
        return {"name": "invalid"}
    name = slugify(given) or "task"
    if "name" in task and name != given:
        hint = "names in Kubernetes are short and lower-case"
        result.warnings.append(Problem("name", f"`{given}` becomes `{name}`", hint))
    return {"name": name}


def _plain(result: Imported, task: dict[str, Any]) -> dict[str, Any]:
    """The fields outside `resources`."""
    data: dict[str, Any] = {k: task[k] for k in ("workdir", "setup", "run") if k in task}
    if isinstance(task.get("workdir"), dict):
        result.problems.append(unbuilt("a workdir from git", "workdir", "name a local folder"))
        del data["workdir"]
    if "num_nodes" in task:
        data["nodes"] = task["num_nodes"]
    for group in ("envs", "secrets"):
        managed = group == "secrets" and isinstance(task.get(group), list)
        if group in task and not managed:
            data[group] = _as_text(task[group])
    return data


def _as_text(values: Any) -> Any:
    """SkyPilot turns every value but null into Python's text of it."""
    if not isinstance(values, dict):
        return values
    scalars = (bool, int, float)
    return {
        key: str(value) if isinstance(value, scalars) else value
        for key, value in values.items()
        if not key.startswith(("secrets:", "SKYPILOT_DOCKER_"))
    }


def _resources(result: Imported, resources: Any, paths: dict[str, str]) -> dict[str, Any]:
    """The `resources` of the Job, and what SkyPilot keeps there and a Job elsewhere."""
    if not isinstance(resources, dict):
        return {"resources": resources}
    given = _given(resources)
    later = load("unbuilt.yaml")["skypilot"]["resources"]
    _sort_out(result, given, "resources.", _RESOURCES, later)
    data = {key: given[key] for key in _AS_THEY_ARE if key in given}
    _gpus(result, given, data, paths)
    data |= _place(result, given, paths)
    image = result.attempt("resources.image_id", _image, given.get("image_id"))
    return {"resources": data, **image, **_labels(given, data, paths)}


def _gpus(
    result: Imported, given: dict[str, Any], data: dict[str, Any], paths: dict[str, str]
) -> None:
    if "gpus" not in given:
        return
    if "accelerators" in given:
        message = "is another name of `accelerators`"
        result.problems.append(Problem("resources.gpus", message, "keep one of them"))
    data["accelerators"] = given["gpus"]
    paths["resources.accelerators"] = "resources.gpus"


def _place(result: Imported, given: dict[str, Any], paths: dict[str, str]) -> dict[str, Any]:
    """Cloud, region, zone and context, from `infra` or from the older separate fields."""
    parts: dict[str, Any] = {k: given[k] for k in ("cloud", "region", "zone") if k in given}
    if "infra" not in given:
        return _context_is_region(parts)
    if parts:
        message = f"says the same as {', '.join(parts)}"
        result.problems.append(Problem("resources.infra", message, "keep infra alone"))
    inside = ("cloud", "region", "zone", "context")
    paths.update({f"resources.{part}": "resources.infra" for part in inside})
    place: dict[str, Any] = result.attempt("resources.infra", _infra, given["infra"])
    return place


def _context_is_region(parts: dict[str, Any]) -> dict[str, Any]:
    """With `cloud: kubernetes`, SkyPilot's region is the kubeconfig context."""
    if str(parts.get("cloud")).strip().lower() in _KUBERNETES and "region" in parts:
        return {**parts, "context": parts["region"], "region": None}
    return parts


def _infra(value: Any) -> dict[str, Any]:
    """`aws/us-east-1/us-east-1a`, `*/us-east-1`, `k8s`, `k8s/CONTEXT` (which may hold slashes)."""
    text = value.strip() if isinstance(value, str) else ""
    head, _, rest = text.partition("/")
    if head.lower() in _KUBERNETES and not text.endswith("/"):
        return {"cloud": "kubernetes", "context": rest if rest not in ("", "*") else None}
    parts = text.split("/")
    if len(parts) > 3 or "" in parts:
        hint = "write cloud, cloud/region or cloud/region/zone, with * for any"
        raise refuse(Problem("", f"{printable(value)} is not a place", hint))
    named = dict(zip(("cloud", "region", "zone"), parts, strict=False))
    return {key: part for key, part in named.items() if part != "*"}


def _image(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, str):
        raise refuse(unbuilt("an image_id for each region", hint="write docker:IMAGE"))
    prefix, _, image = value.partition(":")
    if prefix != "docker":
        raise refuse(unbuilt(f"the machine image {printable(value)}", hint="write docker:IMAGE"))
    return {"image": image}


def _labels(given: dict[str, Any], data: dict[str, Any], paths: dict[str, str]) -> dict[str, Any]:
    """All labels stay on the resources; some of them say what a Job has fields for."""
    if "labels" not in given:
        return {}
    data["labels"] = given["labels"]
    labels = _mapping(given["labels"])
    found = {
        name: labels[label]
        for name, label in (("queue", _QUEUE), ("priority", _PRIORITY))
        if labels.get(label) is not None
    }
    for label in _LONGEST_RUN:
        if labels.get(label) is not None:
            paths["max_run_time"] = f"resources.labels.{label}"
            found["max_run_time"] = labels[label]
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _renamed(problem: Problem, paths: dict[str, str]) -> Problem:
    """The problem, at the place the task has for that field."""
    for ours, theirs in paths.items():
        if problem.path == ours or problem.path.startswith((f"{ours}.", f"{ours}[")):
            path = theirs + problem.path[len(ours) :]
            return type(problem)(path, problem.message, problem.hint)
    return problem

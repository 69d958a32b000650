"""A SkyPilot task becomes a Job. What is understood without effect is said, never dropped.

The fields and their forms are those of SkyPilot 0.14; konduktor reads the same files and adds
the label for the longest run time.
"""

from __future__ import annotations

import re
from typing import Any

from jobs.data import load
from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.importers.sky.candidates import Fields, job_fields
from jobs.importers.sky.choices import read_choice
from jobs.importers.sky.mounts import read_mounts
from jobs.importers.sky.reading import tell_idle
from jobs.importers.sky.rest import GitWorkdir, Rest, config_leaves
from jobs.importers.sky.substitution import FIELDS, substitute
from jobs.importers.sky.variables import read_variables
from jobs.names import slugify
from jobs.problems import NotHonoured, printable
from jobs.spec import Job
from jobs.wording import check, unknown_field

__all__ = ["TASK_FIELDS", "Imported", "import_task"]

TASK_FIELDS = (
    "name", "workdir", "num_nodes", "resources", "setup", "run", "envs", "secrets", "inputs",
    "outputs", "file_mounts", "volumes",
)  # fmt: skip

_NAME = re.compile(r"[a-zA-Z0-9]+(?:[._-]{1,2}[a-zA-Z0-9]+)*")
_LOCAL_QUEUE = "local_queue_name"


def import_task(task: dict[str, Any], stem: str) -> Imported:
    """The Job of a task; `stem` (of the file's name) names a task without a name."""
    result = Imported()
    task = {key: value for key, value in task.items() if value is not None}
    facts = load("importers/skypilot.yaml")
    _unknown(result, task, facts)
    variables = read_variables(result, task)
    task = _substituted(task, variables.get("envs"))
    rest = _rest(result, task)
    choice = read_choice(result, task.get("resources"))
    fields = job_fields(result, choice) if choice else Fields()
    mounts = read_mounts(result, rest)
    moved = {"inputs": mounts.inputs, "volumes": mounts.volumes}
    data = {
        **_name(result, task, stem),
        **_scripts(task, rest),
        **variables,
        **fields.data,
        **moved,
    }
    _config(result, rest, data, fields.paths)
    job, problems = check(Job, data)
    paths = {**fields.paths, **mounts.paths, **_PATHS}
    result.problems += [_renamed(problem, paths) for problem in problems]
    result.job = None if result.problems else job
    told = dict.fromkeys(result.warnings)
    result.warnings = [each for each in told if not _wrong(each.path, result.problems)]
    if not str(task.get("run", "")).strip():
        result.warnings.append(Problem("run", "nothing to run", "the job ends after its setup"))
    return result


_PATHS = {"nodes": "num_nodes", "reads": "inputs", "writes": "outputs"}
"""Where a field of the Job stands in a task."""


def _unknown(result: Imported, task: dict[str, Any], facts: dict[str, Any]) -> None:
    tell_idle(result, task, "", facts)
    idle = {*facts["not_honoured"], *facts["ignored"]}
    known = [*TASK_FIELDS, "config", *(name for name in idle if not name.startswith("_"))]
    for key in task:
        if key not in known and key not in idle:
            path = printable(key)
            result.problems.append(unknown_field(path, path, known))


def _substituted(task: dict[str, Any], envs: Any) -> dict[str, Any]:
    """By envs alone: messages show what these fields hold, and secrets must not be in them."""
    known = envs if isinstance(envs, dict) else {}
    variables = {key: value for key, value in known.items() if isinstance(value, str)}
    found = {name: substitute(task[name], variables) for name in FIELDS if name in task}
    return {**task, **found}


def _rest(result: Imported, task: dict[str, Any]) -> Rest:
    rest, problems = check(Rest, {k: v for k, v in task.items() if k in Rest.model_fields})
    result.problems += problems
    return rest or Rest()


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


def _scripts(task: dict[str, Any], rest: Rest) -> dict[str, Any]:
    data: dict[str, Any] = {key: task[key] for key in ("setup", "run") if key in task}
    if "workdir" in task and not isinstance(task["workdir"], dict):
        data["workdir"] = task["workdir"]
    if "num_nodes" in task:
        data["nodes"] = task["num_nodes"]
    return {**data, "reads": rest.inputs or {}, "writes": rest.outputs or {}}


def _config(result: Imported, rest: Rest, data: dict[str, Any], paths: dict[str, str]) -> None:
    """The queue of Kueue is ours too; of the rest, each key is said to have no effect."""
    if isinstance(rest.workdir, GitWorkdir):
        message = "not honoured: a workdir from git"
        result.warnings.append(NotHonoured("workdir", message, "name a local folder"))
    for inner, value in config_leaves(rest.config):
        if value in (None, [], {}):
            continue
        path = f"config.{inner}"
        if inner == "kubernetes.kueue" and isinstance(value, dict) and _LOCAL_QUEUE in value:
            data.setdefault("queue", value[_LOCAL_QUEUE])
            paths.setdefault("queue", f"{path}.{_LOCAL_QUEUE}")
        else:
            result.warnings.append(NotHonoured(path, "not honoured", "remove it"))


def _wrong(path: str, problems: list[Problem]) -> bool:
    """Whether the field is wrong anyway: then it need not be said that it has no effect."""
    return any(problem.path == path or _inside(problem.path, path) for problem in problems)


def _inside(path: str, outer: str) -> bool:
    return path.startswith((f"{outer}.", f"{outer}["))


def _renamed(problem: Problem, paths: dict[str, str]) -> Problem:
    """The problem, at the place the task has for that field."""
    for ours, theirs in paths.items():
        if problem.path == ours or _inside(problem.path, ours):
            path = theirs + problem.path[len(ours) :]
            return type(problem)(path, problem.message, problem.hint)
    return problem

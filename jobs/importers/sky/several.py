"""Several tasks in a file: a pipeline, one after the other, or a job group, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pydantic import Field, field_validator

from jobs.data import load
from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.importers.sky import forms
from jobs.importers.sky.nested import lowered
from jobs.model import Strict
from jobs.names import duplicates
from jobs.problems import NotHonoured, did_you_mean, printable, refuse
from jobs.wording import at, check

__all__ = ["Execution", "Header", "Several", "import_several"]

_DEFAULT = "default"


class Execution(str, Enum):
    """How the tasks run."""

    SERIAL = "serial"
    PARALLEL = "parallel"


class Header(Strict):
    """The first document, where it is no task."""

    name: str | None = None
    execution: Execution = Execution.SERIAL
    primary_tasks: list[str] = Field(default_factory=list)
    """When these have ended, the others are ended; none = each ends by itself."""
    termination_delay: dict[str, int] = Field(default_factory=dict)
    """Task (or `default`) -> seconds that it has then."""

    _lower = field_validator("execution", mode="before")(lowered)

    @field_validator("termination_delay", mode="before")
    @classmethod
    def _delays(cls, value: object) -> object:
        """One time for all, or a mapping of times."""
        return _times(value) if isinstance(value, dict) else {_DEFAULT: forms.delay(value)}


@dataclass
class Several:
    """What became of the file. The paths of a task's problems start with `tasks[0]`."""

    header: Header = field(default_factory=Header)
    tasks: list[Imported] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def import_several(
    documents: list[dict[str, Any]], read: Callable[[dict[str, Any], str], Imported], stem: str
) -> Several:
    """`read` makes a Job of one task and the name it has if it says none.

    A file with problems has them in `problems`; running a job group is refused by a warning.
    """
    result = Several()
    first, tasks = documents[0], documents
    if _is_header(first):
        tasks = documents[1:]
        header, problems = check(Header, {k: v for k, v in first.items() if v is not None})
        result.header = header or Header()
        result.problems += problems
    for place, task in enumerate(tasks):
        made = read(task, f"{stem}-{place}")
        result.tasks.append(made)
        result.problems += [at(f"tasks[{place}]", problem) for problem in made.problems]
        result.warnings += [at(f"tasks[{place}]", warning) for warning in made.warnings]
    if not result.problems:
        result.problems += _together(result.header, tasks)
    if what := load("unbuilt.yaml")["several"].get(result.header.execution.value):
        result.warnings.append(NotHonoured("", f"{what}: not built yet", "one task a file"))
    return result


def _is_header(first: dict[str, Any]) -> bool:
    return "execution" in first or set(first) == {"name"}


def _times(value: dict[str, object]) -> dict[str, int]:
    times, problems = {}, []
    for name, item in value.items():
        try:
            times[name] = forms.delay(item)
        except ValueError as error:
            found = getattr(error, "context", None) or {}
            problems += [at(printable(name), problem) for problem in found.get("problems", ())]
    if problems:
        raise refuse(*problems)
    return times


def _together(header: Header, tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    if header.execution is Execution.PARALLEL:
        yield from _group(header, [task.get("name") for task in tasks])
        return
    for name in ("primary_tasks", "termination_delay"):
        if getattr(header, name):
            yield Problem(name, "is for tasks side by side", "write `execution: parallel`")


def _group(header: Header, names: list[str | None]) -> Iterator[Problem]:
    """Its tasks find one another by name."""
    if header.name is None:
        yield Problem("name", "required: the tasks' host names have it in them")
    for place, name in enumerate(names):
        if name is None:
            yield Problem(f"tasks[{place}].name", "required in a job group")
    known = [name for name in names if name is not None]
    for place, _ in duplicates(known):
        message = f"`{known[place]}` is there twice"
        yield Problem(f"tasks[{place}].name", message, "give each its own name")
    named = [(f"primary_tasks[{i}]", name) for i, name in enumerate(header.primary_tasks)]
    named += [(f"termination_delay.{n}", n) for n in header.termination_delay if n != _DEFAULT]
    for path, name in named:
        if name not in known:
            hint = did_you_mean(name, known, f"tasks: {', '.join(known)}")
            yield Problem(path, f"no such task: {printable(name)}", hint)

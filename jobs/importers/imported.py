"""What became of a foreign document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import Problem
from jobs.spec import Job

__all__ = ["Imported"]


@dataclass
class Imported:
    """What became of a task: `job` is None where there are problems."""

    job: Job | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    idle: dict[str, Any] = field(default_factory=dict)
    """When the colony that is made for it is idle; the fields of `Idle`."""

    def attempt(self, path: str, convert: Callable[[Any], dict[str, Any]], value: Any) -> Any:
        """What `convert` makes of a value, or nothing and the problem noted."""
        try:
            return convert(value)
        except ValueError as error:
            found = getattr(error, "context", None) or {}
            for problem in found.get("problems", ()):
                self.problems.append(type(problem)(path, problem.message, problem.hint))
            return {}

"""A Job in the making: what is known of it, and where each part stands in the foreign document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobs.errors import Problem
from jobs.importers.formats import Format
from jobs.problems import NotHonoured

__all__ = ["Draft"]


@dataclass
class Draft:
    """`data` is the Job's own file format; problems carry the paths of the foreign one."""

    format: Format
    document: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    """Our path -> theirs."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    @property
    def spec(self) -> dict[str, Any]:
        """Of the document; empty where it has none."""
        return self.document.get("spec") or {}

    @property
    def annotations(self) -> dict[str, str]:
        """Of the document."""
        return (self.document.get("metadata") or {}).get("annotations") or {}

    def put(self, ours: str, value: Any, theirs: str) -> None:
        """Sets a field of the job, or of one part of it (`policy.ttl`), unless it is None."""
        if value is None:
            return
        head, dot, rest = ours.partition(".")
        if dot:
            self.data.setdefault(head, {})[rest] = value
        else:
            self.data[head] = value
        self.paths[ours] = theirs

    def refuse(self, path: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(path, message, hint))

    def warn(self, path: str, message: str, hint: str = "") -> None:
        """A harmless word."""
        self.warnings.append(Problem(path, message, hint))

    def not_honoured(self, path: str, message: str, hint: str = "") -> None:
        """Something else would happen than the document says: `plan` and `run` refuse it."""
        self.warnings.append(NotHonoured(path, f"not honoured: {message}", hint))

    def renamed(self, problem: Problem) -> Problem:
        """The problem, at the place the document has for that field."""
        for ours in sorted(self.paths, key=len, reverse=True):
            rest = problem.path[len(ours) :]
            if problem.path.startswith(ours) and rest[:1] in ("", ".", "["):
                return type(problem)(self.paths[ours] + rest, problem.message, problem.hint)
        return problem

"""Names: what Kubernetes, the clouds and a shell accept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from jobs.errors import Problem
from jobs.problems import printable, refuse

__all__ = ["NAME_LENGTH", "check_keys", "check_name", "check_variables", "duplicates", "slugify"]

NAME_LENGTH = 40
"""Of a colony or a job: what they name adds up to 23 characters, and a DNS label holds 63."""

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_name(name: str, limit: int = 63) -> str:
    """A DNS-1123 label that starts with a letter (a Service is named after a job).

    Raises ValueError.
    """
    problem = _name_problem(name, limit)
    if problem:
        raise refuse(problem)
    return name


def check_keys(names: Iterable[str]) -> None:
    """Names that are keys of a mapping. Raises ValueError naming each wrong one."""
    wrong = [(name, problem) for name in names if (problem := _name_problem(name, 63))]
    if wrong:
        raise refuse(*(Problem(printable(n), p.message, p.hint) for n, p in wrong))


def check_variables(names: Iterable[str]) -> None:
    """Names of environment variables. Raises ValueError naming each wrong one."""
    wrong = [name for name in names if not _VARIABLE.fullmatch(name)]
    hint = "letters, digits and _ only, not starting with a digit"
    problems = [
        Problem(printable(name), "not a name for an environment variable", hint) for name in wrong
    ]
    if problems:
        raise refuse(*problems)


def slugify(text: str, limit: int = NAME_LENGTH) -> str:
    """The nearest valid name: `minGPT_ddp` -> `mingpt-ddp`. Empty where nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if slug and slug[0].isdigit():
        slug = f"job-{slug}"
    return slug[:limit].rstrip("-")


def duplicates(names: Iterable[str]) -> list[tuple[int, str]]:
    """(index, name) of each name that was there before."""
    seen: set[str] = set()
    found = []
    for index, name in enumerate(names):
        if name in seen:
            found.append((index, name))
        seen.add(name)
    return found


def _name_problem(name: str, limit: int) -> Problem | None:
    if not name:
        return Problem("", "must not be empty")
    if len(name) > limit:
        return Problem("", f"must be at most {limit} characters, has {len(name)}")
    if _NAME.fullmatch(name):
        return None
    suggestion = slugify(name, limit)
    hint = f"did you mean `{suggestion}`?" if suggestion else ""
    message = "lower-case letters, digits and `-` only, starting with a letter"
    return Problem("", f"{printable(name)} is not a valid name: {message}", hint)

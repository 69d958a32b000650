"""Kinds of problems, near matches, and how a validator reports more than a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from pydantic_core import PydanticCustomError

from jobs.errors import Problem

__all__ = [
    "NotHonoured", "Unbuilt", "did_you_mean", "kindless", "near", "printable", "refuse", "unbuilt",
]  # fmt: skip

_CLOSE = 0.7
_CLOSE_SHORT = 0.66
"""One wrong letter of three."""

_LONGEST = 80


class Unbuilt(Problem):
    """Understood, but not built yet: becomes `NotSupported`."""


class NotHonoured(Problem):
    """Valid, but would have no effect: a warning of `validate`, refused by `plan` and `run`."""


def refuse(*problems: Problem | str) -> PydanticCustomError:
    """The `ValueError` a validator raises; problem paths are relative to what is validated."""
    found = tuple(p if isinstance(p, Problem) else Problem("", p) for p in problems)
    summary = "; ".join(str(problem) for problem in found)
    return PydanticCustomError("refused", "{summary}", {"summary": summary, "problems": found})


def unbuilt(what: str, path: str = "", hint: str = "") -> Unbuilt:
    """`what` is valid, and named, but not built yet."""
    return Unbuilt(path, f"{what}: not built yet", hint)


def kindless(cloud: str, known: Iterable[str], path: str = "") -> Unbuilt:
    """A cloud that is known, and whose clusters nobody has built; `known` = the others."""
    message = f"not provisionable here: {cloud} has no cluster kind"
    return Unbuilt(path, message, f"a colony can be on {', '.join(known)}")


def near(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names that look most like `name`, best first; the order of words is forgiven."""
    enough = _CLOSE if len(name) > 4 else _CLOSE_SHORT
    scored = [(_likeness(name.lower(), other.lower()), other) for other in known]
    close = sorted((-score, other) for score, other in scored if score >= enough)
    return [other for _, other in close[:limit]]


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint naming the nearest match, or `otherwise`."""
    found = near(name, known, limit=1)
    return f"did you mean `{found[0]}`?" if found else otherwise


def printable(value: object) -> str:
    """A short form of a value for a message: one line, no control characters."""
    text = value if isinstance(value, str) and value.isprintable() and value else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _likeness(one: str, other: str) -> float:
    plain = SequenceMatcher(None, one, other).ratio()
    return max(plain, 0.95 * SequenceMatcher(None, _sorted(one), _sorted(other)).ratio())


def _sorted(name: str) -> str:
    return "-".join(sorted(name.replace("_", "-").split("-")))

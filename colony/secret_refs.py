"""Secrets that a file only refers to: `{env: NAME}`, `{file: PATH}`, `{secret: NAME, key: KEY}`.

The first two are opened here, into the attribute that no dump shows; the third never is: pods are
told where the cluster has it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.errors import Problem
from jobs.problems import did_you_mean, printable

__all__ = ["FORMS", "Opened", "open_references"]

LONGEST = 1 << 20
"""Bytes: more than this fits into no Secret of a cluster."""
HINT = "write {env: NAME}, {file: PATH} or {secret: NAME, key: KEY}"
FORMS = [
    {"required": ["env"], "properties": {"env": {"type": "string"}}},
    {"required": ["file"], "properties": {"file": {"type": "string"}}},
    {
        "required": ["secret", "key"],
        "properties": {"secret": {"type": "string"}, "key": {"type": "string"}},
    },
]
"""For the schema of files."""


@dataclass
class Opened:
    """A job's body with its secrets' values in it, and what its pods take from the cluster."""

    body: Any
    env_from: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def open_references(body: Any, folder: Path, given: Mapping[str, str]) -> Opened:
    """`folder`: where paths start; `given`: variables whose values the command line has."""
    secrets = body.get("secrets") if isinstance(body, dict) else None
    if not isinstance(secrets, dict):
        return Opened(body)
    opened = Opened({**body, "secrets": {}})
    inside: dict[str, dict[str, str]] = {}
    for name, value in secrets.items():
        if isinstance(value, dict) and name in given:
            opened.body["secrets"][name] = None
        elif isinstance(value, dict) and set(value) == {"secret", "key"}:
            inside.setdefault(str(value["secret"]), {})[name] = str(value["key"])
        elif isinstance(value, dict):
            _open(opened, str(name), value, folder)
        else:
            opened.body["secrets"][name] = value
    opened.env_from = [{"secret": name, "keys": keys} for name, keys in inside.items()]
    return opened


def _open(opened: Opened, name: str, reference: dict[str, Any], folder: Path) -> None:
    path = f"secrets.{printable(name)}"
    ways = {"env": _from_environment, "file": _from_file}
    (way, where) = next(iter(reference.items()), ("", None))
    if len(reference) != 1 or way not in ways or not isinstance(where, str) or not where:
        hint = did_you_mean(str(way), [*ways, "secret"], HINT)
        opened.problems.append(Problem(path, "is no reference to a secret", hint))
        return
    try:
        opened.body["secrets"][name] = ways[way](where, folder)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        hint = f"or give it with --secret {name}"
        opened.problems.append(Problem(f"{path}.{way}", f"{printable(where)}: {said}", hint))


def _from_environment(name: str, folder: Path) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ValueError("is not in the environment")
    return value


def _from_file(name: str, folder: Path) -> str:
    """Without the newline that editors put at the end."""
    file = folder / Path(name).expanduser()
    if file.stat().st_size > LONGEST:
        raise ValueError(f"is larger than {LONGEST // 1024} KiB")
    text = file.read_text().removesuffix("\n")
    if not text:
        raise ValueError("is empty")
    return text

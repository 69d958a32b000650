"""Checks of single fields, shared by the models of jobs and colonies. All raise ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any

from jobs.data import load
from jobs.errors import Problem
from jobs.problems import did_you_mean, printable, refuse, unbuilt
from jobs.quantities import (
    format_accelerators,
    parse_accelerators,
    parse_cpus,
    parse_duration,
    parse_memory,
)

__all__ = [
    "BUCKETS", "DURATION", "DURATION_OR_NULL", "NUMBER_OR_TEXT", "TEXTS", "accelerators",
    "bucket", "cpus", "duration", "duration_or_zero", "image", "labels", "memory", "named",
    "optional", "texts", "word",
]  # fmt: skip

BUCKETS = ("s3", "gs", "az", "file")

DURATION: dict[str, Any] = {"type": ["integer", "string"], "examples": ["24h", "90m", 3600]}
"""What the JSON schema says of a duration."""

DURATION_OR_NULL: dict[str, Any] = {"anyOf": [{"type": t} for t in ("integer", "string", "null")]}

TEXTS: dict[str, Any] = {"additionalProperties": {"type": ["string", "number", "null"]}}
"""Variables: numbers become text, and what has no value is given with --env."""

NUMBER_OR_TEXT: dict[str, Any] = {"anyOf": [{"type": t} for t in ("number", "string", "null")]}

_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+|/)[a-z0-9]+)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_PLACE = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<host>[^/\s]*)(?P<path>\S*)")
_WORD = re.compile(r"[\w][\w./@:+-]*")
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")


def optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same check, with None let through."""
    return lambda value: None if value is None else check(value)


def accelerators(value: object) -> str:
    """Canonical `H100:8`."""
    return format_accelerators(*parse_accelerators(value))


def cpus(value: object) -> str:
    """Canonical `4` or `4+`."""
    return str(parse_cpus(value))


def memory(value: object) -> str:
    """Canonical `64` or `64+` (GiB)."""
    return str(parse_memory(value))


def duration(value: object) -> int:
    """Seconds, more than 0."""
    return parse_duration(value)


def duration_or_zero(value: object) -> int:
    """Seconds, 0 allowed."""
    return parse_duration(value, zero=True)


def named(kind: str, enum: type[Enum]) -> Callable[[Any], Any]:
    """Members of `enum` in any case; what `unbuilt.yaml` lists under `kind`s is not built yet."""
    known = [str(member.value) for member in enum]

    def check(value: object) -> object:
        if isinstance(value, enum):
            return value
        name = value.strip().lower() if isinstance(value, str) else ""
        later = load("unbuilt.yaml")[f"{kind}s"]
        if name in later:
            raise refuse(unbuilt(f"the {kind} {name}", hint=f"built: {', '.join(known)}"))
        if name not in known:
            hint = did_you_mean(name, [*known, *later], f"known: {', '.join(known)}")
            raise refuse(Problem("", f"unknown {kind} {printable(value)}", hint))
        return enum(name)

    return check


def image(value: str) -> str:
    """A container image reference; placeholders are refused."""
    if re.search(r"[$<>{}]", value):
        raise refuse(
            Problem("", f"{printable(value)} is a placeholder", "put the image's name there")
        )
    if not _IMAGE.fullmatch(value):
        hint = "write it like registry.example.com/team/train:1.0, in lower case"
        raise refuse(Problem("", f"{printable(value)} is not an image name", hint))
    return value


def word(value: str) -> str:
    """One word: a region, a zone, an instance type, a version."""
    if not _WORD.fullmatch(value):
        raise refuse(f"must be one word, not {printable(value)}")
    return value


def texts(value: object) -> object:
    """Numbers among the values become text, as in SkyPilot; anything else is left to pydantic."""
    if not isinstance(value, dict):
        return value
    return {key: _text(item) for key, item in value.items()}


def labels(value: dict[str, str]) -> dict[str, str]:
    """Kubernetes labels."""
    problems = [
        Problem(printable(key), "not a valid Kubernetes label", "letters, digits, `-`, `_`, `.`")
        for key, item in value.items()
        if not (_is_label_key(key) and _LABEL.fullmatch(item))
    ]
    if problems:
        raise refuse(*problems)
    return value


def bucket(value: str) -> str:
    """`s3://`, `gs://`, `az://` or `file://` and a place there; no credentials in it."""
    match = _PLACE.fullmatch(value)
    if match and "@" in match["host"]:
        raise refuse(Problem("", "has credentials in it", "leave them to the cloud's identity"))
    if not match or match["scheme"] not in BUCKETS:
        known = ", ".join(f"{scheme}://" for scheme in BUCKETS)
        raise refuse(Problem("", f"{printable(value)} is not a place to write to", f"use {known}"))
    if match["scheme"] == "file" and (match["host"] or len(match["path"]) < 2):
        raise refuse(f"{printable(value)} must be absolute: file:///folder")
    if match["scheme"] != "file" and not _WORD.fullmatch(match["host"]):
        raise refuse(f"{printable(value)} names no bucket")
    return value


def _text(item: object) -> object:
    is_number = isinstance(item, (int, float)) and not isinstance(item, bool)
    return str(item) if is_number else item


def _is_label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    good = bool(name) and bool(_LABEL.fullmatch(name))
    return good and (not slash or bool(_PREFIX.fullmatch(prefix)))

"""Faults: what goes wrong in a world, named by operation and URN, never by a count of calls.

faults:
  - op: create                     create | update | delete | read | any
    urn: "*::trainers-gpu"         a glob; so are `type`, `region` and the values of `where`
    type: "aws:eks/*:NodeGroup"
    where: {instanceTypes.0: "p5*"}
    error: capacity                a name from the package's `errors`
    times: 2                       fails twice, then works; `always` never works
    chance: 0.5                    by hash(seed, urn, op, attempt)
    slow: 600                      seconds longer; "3x" is three times as long
    kill: after                    SIGKILL of the run, before or after the operation took effect
    objects: [...]                 Kubernetes objects that the user's job makes by kubectl
    late: 600                      seconds after its `up` until nodes have what the release brings
    nodes: 3                       machines of a refused create that came up all the same

quotas:
  - region: us-east-1              a glob, as is `instance`
    instance: "p5*"
    nodes: 8                       of these kinds together may run there
    told: false                    nobody is told before it is met

preemptions: [...]                 spot machines that are taken: `preemptions.py`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from colony.rehearsal.package import load_packages
from colony.rehearsal.preemptions import PreemptionRule
from colony.rehearsal.templates import digest, lookup
from jobs.errors import InputError, Problem
from jobs.model import Strict

__all__ = [
    "Fault", "Faults", "Kill", "Operation", "QuotaRule", "error_names", "load_faults",
    "parse_faults",
]  # fmt: skip

UNLIMITED = 1_000_000


class Operation(str, Enum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    READ = "read"
    ANY = "any"


class Kill(str, Enum):
    BEFORE = "before"
    AFTER = "after"


class Fault(Strict):
    """One thing that goes wrong."""

    op: Operation = Operation.CREATE
    urn: str = "*"
    type: str = "*"
    region: str = "*"
    where: dict[str, str] = Field(default_factory=dict)
    """Input path -> glob."""
    error: str | None = None
    message: str | None = None
    times: int | None = Field(default=None, ge=1)
    """How many attempts of one (operation, URN) are hit; None is all (a kill: one)."""
    chance: float = Field(default=1.0, gt=0, le=1)
    slow: str | None = None
    kill: Kill | None = None
    objects: list[dict[str, Any]] = Field(default_factory=list)
    late: float = Field(default=0.0, ge=0)
    """Seconds; only of releases whose layers make devices of nodes known."""
    nodes: int = Field(default=0, ge=0)

    @field_validator("times", mode="before")
    @classmethod
    def _always(cls, value: Any) -> Any:
        return UNLIMITED if value == "always" else value

    @field_validator("slow", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        text = str(value)
        if value is None or _is_number(text.removesuffix("x")):
            return None if value is None else text
        raise ValueError("seconds (600) or a factor (3x)")

    @model_validator(mode="after")
    def _does_something(self) -> Fault:
        if self.urn == "*" and self.type == "*":
            raise ValueError("a fault needs `urn` or `type`")
        if not (self.error or self.slow or self.kill or self.objects or self.late):
            raise ValueError("a fault needs `error`, `slow`, `kill`, `objects` or `late`")
        return self

    def hits(self, op: str, urn: str, attempt: int, seed: int, facts: Mapping[str, Any]) -> bool:
        """True if this attempt (from 1) is hit. `facts` has type, region and inputs."""
        limit = self.times or (1 if self.kill else UNLIMITED)
        if self.op not in (Operation.ANY, op) or attempt > limit or not fnmatchcase(urn, self.urn):
            return False
        if not fnmatchcase(facts["type"], self.type):
            return False
        if not fnmatchcase(facts["region"], self.region):
            return False
        values = ((lookup(facts["inputs"], path), glob) for path, glob in self.where.items())
        if not all(fnmatchcase(str(value), glob) for value, glob in values):
            return False
        return chance(seed, urn, op, attempt) < self.chance

    def delays(self, type_: str, urn: str) -> bool:
        """True if what this release brings comes late."""
        return bool(self.late) and fnmatchcase(type_, self.type) and fnmatchcase(urn, self.urn)

    def seconds(self, usual: float) -> float:
        """How long the operation takes under this fault."""
        if not self.slow:
            return usual
        if self.slow.endswith("x"):
            return usual * float(self.slow[:-1])
        return usual + float(self.slow)


class QuotaRule(Strict):
    """How many machines of some kinds may run in a region."""

    region: str = "*"
    instance: str = "*"
    nodes: int = Field(ge=0)
    told: bool = True

    def holds(self, region: str, instance: str) -> bool:
        """True if machines of this type are counted."""
        return fnmatchcase(region, self.region) and fnmatchcase(instance, self.instance)


class Faults(Strict):
    """A fault file."""

    faults: list[Fault] = Field(default_factory=list)
    quotas: list[QuotaRule] = Field(default_factory=list)
    preemptions: list[PreemptionRule] = Field(default_factory=list)

    @property
    def kills(self) -> bool:
        """True if some fault ends the run's process: then checkpoints are needed."""
        return any(fault.kill for fault in self.faults)


def chance(seed: int, urn: str, op: str, attempt: int) -> float:
    """A number in [0, 1) that follows from its arguments alone."""
    return int(digest(seed, urn, op, attempt)[:12], 16) / 16**12


def error_names() -> list[str]:
    """The errors that a fault can name: capacity, quota, throttling, credentials, …"""
    return sorted({name for package in load_packages().values() for name in package.errors})


def load_faults(path: Path) -> Faults:
    """Reads a YAML or JSON file. Raises InputError with path and near match."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as a fault file: {error}") from None
    return parse_faults(content, str(path))


def parse_faults(content: Any, file: str = "") -> Faults:
    """Faults from a mapping `{faults: [...]}`, a list, or `[KEY=VALUE,KEY=VALUE, ...]` texts."""
    entries = [_from_text(entry) for entry in content] if isinstance(content, list) else None
    whole = {"faults": entries} if entries is not None else content
    try:
        faults = Faults.model_validate({} if whole is None else whole)
    except ValidationError as error:
        raise InputError(*[_problem(item) for item in error.errors()], file=file) from None
    unknown = [
        _unknown_error(index, fault.error)
        for index, fault in enumerate(faults.faults)
        if fault.error and fault.error not in error_names()
    ]
    if unknown:
        raise InputError(*unknown, file=file)
    return faults


def _from_text(entry: Any) -> Any:
    """`error=capacity,urn=*gpu*,times=2`, as a command-line flag gives it."""
    if not isinstance(entry, str):
        return entry
    pairs = [part.partition("=") for part in entry.split(",")]
    return {key.strip(): _number(value.strip()) for key, _, value in pairs}


def _number(text: str) -> Any:
    return json.loads(text) if _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _problem(item: Any) -> Problem:
    path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in item["loc"]).lstrip(".")
    inner = _RULES.get(str(item["loc"][0]) if item["loc"] else "", Fault)
    known = inner.model_fields if len(item["loc"]) > 1 else Faults.model_fields
    if item["type"] == "extra_forbidden":
        return Problem(path, "unknown key", _near(str(item["loc"][-1]), list(known)))
    hint = _near(str(item["input"]), _choices(item)) if item["type"] == "enum" else ""
    return Problem(path, item["msg"].removeprefix("Value error, "), hint)


_RULES: dict[str, type[Strict]] = {"quotas": QuotaRule, "preemptions": PreemptionRule}


def _choices(item: Any) -> list[str]:
    owner: type[Enum] = Kill if "kill" in item["loc"] else Operation
    return [str(member.value) for member in owner]


def _unknown_error(index: int, name: str) -> Problem:
    known = error_names()
    return Problem(f"faults[{index}].error", f"no error is called {name!r}", _near(name, known))


def _near(word: str, known: list[str]) -> str:
    match = get_close_matches(word, known, 1)
    return f"did you mean {match[0]}?" if match else f"one of {', '.join(sorted(known))}"

"""The fields of a task beside resources and scripts: mounts, volumes, config, callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from pydantic import Field, field_validator, model_validator

from jobs.data import load
from jobs.errors import Problem
from jobs.importers.sky.lifetime import Hook
from jobs.importers.sky.nested import nested, upper
from jobs.model import Strict
from jobs.problems import did_you_mean, printable, refuse
from jobs.wording import at, check, unknown_field

__all__ = ["Mode", "Rest", "Storage", "config_leaves"]

_MOST_HOOKS = 32


class Mode(str, Enum):
    """How a bucket is reached."""

    MOUNT = "MOUNT"
    COPY = "COPY"
    MOUNT_CACHED = "MOUNT_CACHED"


class Kind(str, Enum):
    """What a bucket holds."""

    MODEL_CHECKPOINT_RO = "MODEL_CHECKPOINT_RO"
    MODEL_CHECKPOINT_RW = "MODEL_CHECKPOINT_RW"
    DATASET_RO = "DATASET_RO"
    DATASET_RW = "DATASET_RW"


class GitWorkdir(Strict):
    """A repository as the working directory."""

    url: str
    ref: str | None = None


class MountConfig(Strict):
    """How a mount behaves; the many tuning options of a cached one are taken as they are."""

    mount: dict[str, Any] | None = None
    mount_cached: dict[str, Any] | None = None


class Storage(Strict):
    """A bucket or volume that is made, mounted or copied."""

    name: str | None = None
    source: Any = None
    """Text, or a list of local paths."""
    store: str | None = None
    persistent: bool = Field(default=True, strict=True)
    mode: Mode = Mode.MOUNT
    type: Kind | None = None
    config: MountConfig | None = None

    _upper = field_validator("mode", "type", mode="before")(upper)

    @field_validator("source")
    @classmethod
    def _sources(cls, value: object) -> object:
        sources = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(each, str) for each in sources):
            raise refuse("must be text, or a list of paths")
        return value

    @field_validator("store")
    @classmethod
    def _store(cls, name: str | None) -> str | None:
        known = load("importers/skypilot.yaml")["stores"]
        if name is None or name.lower() in known:
            return name and name.lower()
        hint = did_you_mean(name, known, f"known: {', '.join(known)}")
        raise refuse(Problem("", f"unknown store {printable(name)}", hint))

    @model_validator(mode="after")
    def _of_something(self) -> Storage:
        if self.name is None and self.source is None:
            raise refuse(Problem("", "neither `name` nor `source`", "write at least one"))
        return self


class Rest(Strict):
    """Understood, whether or not it is honoured."""

    api_server_access: bool = Field(default=True, strict=True)
    config: dict[str, Any] = Field(default_factory=dict)
    event_callback: str | None = None
    file_mounts: dict[str, Any] = Field(default_factory=dict)
    """Source (text), or a `Storage`."""
    inputs: dict[str, float] | None = None
    outputs: dict[str, float] | None = None
    managed_secrets: list[str] = Field(default_factory=list)
    pool: dict[str, Any] | None = None
    service: dict[str, Any] | None = None
    volume_mounts: list[Any] = Field(default_factory=list)
    volumes: dict[str, Any] = Field(default_factory=dict)
    workdir: Any = None

    @field_validator("file_mounts")
    @classmethod
    def _mounts(cls, mounts: dict[str, Any]) -> dict[str, Any]:
        return _each(mounts, Storage, "the path or URI of a source")

    @field_validator("volumes")
    @classmethod
    def _volumes(cls, volumes: dict[str, Any]) -> dict[str, Any]:
        wrong = [key for key, item in volumes.items() if not isinstance(item, (str, dict))]
        if wrong:
            message = "must be the name of a volume, or a mapping"
            raise refuse(*(Problem(printable(key), message) for key in wrong))
        return volumes

    @field_validator("inputs", "outputs")
    @classmethod
    def _one(cls, sizes: dict[str, float] | None) -> dict[str, float] | None:
        if sizes is not None and len(sizes) != 1:
            raise refuse(Problem("", "must be one URI and its size in GB", "add the sizes"))
        return sizes

    @field_validator("workdir")
    @classmethod
    def _workdir(cls, value: object) -> object:
        return nested(GitWorkdir)(value) if isinstance(value, dict) else value

    @field_validator("config")
    @classmethod
    def _config(cls, config: dict[str, Any]) -> dict[str, Any]:
        problems = [*_unknown_config(config), *_hooks(config.get("hooks"))]
        if problems:
            raise refuse(*problems)
        return config

    @model_validator(mode="after")
    def _exclusive(self) -> Rest:
        if self.service is not None and self.pool is not None:
            raise refuse(Problem("pool", "excludes `service`", "keep one of them"))
        return self


def config_leaves(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(path inside `config`, value) of everything that a task overrides."""
    facts = load("importers/skypilot.yaml")["config"]
    for key, value in config.items():
        if isinstance(facts[key], list) and isinstance(value, dict):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())
        else:
            yield key, value


def _unknown_config(config: dict[str, Any]) -> Iterator[Problem]:
    facts = load("importers/skypilot.yaml")["config"]
    for key, value in config.items():
        path = printable(key)
        if key not in facts:
            yield unknown_field(path, path, facts)
        elif isinstance(facts[key], list) and value is not None:
            if not isinstance(value, dict):
                yield Problem(path, "must be a mapping (`key: value` lines)")
                continue
            for inner in value:
                if inner not in facts[key]:
                    name = printable(inner)
                    yield unknown_field(f"{path}.{name}", name, facts[key])


def _hooks(hooks: object) -> Iterator[Problem]:
    if hooks is None:
        return
    if not isinstance(hooks, list) or len(hooks) > _MOST_HOOKS:
        yield Problem("hooks", f"must be a list of at most {_MOST_HOOKS} hooks")
        return
    for index, hook in enumerate(hooks):
        _, problems = check(Hook, hook)
        yield from (at(f"hooks[{index}]", problem) for problem in problems)


def _each(items: dict[str, Any], model: type[Strict], text: str) -> dict[str, Any]:
    """Text stays; a mapping becomes the model."""
    made: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, item in items.items():
        path = printable(key)
        if isinstance(item, dict):
            made[key], found = check(model, {k: v for k, v in item.items() if v is not None})
            problems += [at(path, problem) for problem in found]
        elif isinstance(item, str):
            made[key] = item
        else:
            problems.append(Problem(path, f"must be {text}, or a mapping"))
    if problems:
        raise refuse(*problems)
    return made

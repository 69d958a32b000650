"""What happens when a task idles, fails, or loses its machines: autostop, recovery, hooks."""

from __future__ import annotations

from enum import Enum

from pydantic import Field, field_validator

from jobs.errors import Problem
from jobs.importers.sky import forms
from jobs.importers.sky.nested import lowered, nested, upper
from jobs.model import Strict
from jobs.problems import printable, refuse
from jobs.wording import unknown_field

__all__ = ["Autostop", "Event", "Hook", "Recovery", "Strategy", "WaitFor", "autostop", "recovery"]

_LONGEST_HOOK = 16 * 1024
_CODES = 255
_AUTOSTOP = ("idle_minutes", "down", "wait_for", "hook", "hook_timeout")


class WaitFor(str, Enum):
    """What keeps a cluster from being idle."""

    JOBS_AND_SSH = "jobs_and_ssh"
    JOBS = "jobs"
    NONE = "none"


class Event(str, Enum):
    """What a hook runs before."""

    STOP = "stop"
    PREEMPTION = "preemption"
    DOWN = "down"


class Strategy(str, Enum):
    """Where a task whose machines were taken starts again."""

    FAILOVER = "FAILOVER"
    EAGER_NEXT_REGION = "EAGER_NEXT_REGION"


class Hook(Strict):
    """A script that runs on every node before an event."""

    run: str
    events: list[Event] = Field(default_factory=lambda: list(Event))
    timeout: int = Field(default=3600, ge=1, strict=True)
    """Seconds."""

    @field_validator("run")
    @classmethod
    def _short(cls, run: str) -> str:
        if len(run.encode()) > _LONGEST_HOOK:
            raise refuse(Problem("", "is longer than 16 KiB", "put the script into the workdir"))
        return run


class Autostop(Strict):
    """Idle minutes are those of the loader: 0 where only `true` is written."""

    enabled: bool = True
    idle_minutes: int = 0
    """Below 0: never."""
    down: bool = Field(default=False, strict=True)
    """Deleted, not stopped."""
    wait_for: WaitFor | None = None
    hook: str | None = None
    hook_timeout: int | None = Field(default=None, ge=1, strict=True)

    _minutes = field_validator("idle_minutes", mode="before")(forms.minutes)
    _wait_for = field_validator("wait_for", mode="before")(lowered)

    @property
    def hooks(self) -> list[Hook]:
        """The older `hook`, as one of `config.hooks`."""
        if self.hook is None:
            return []
        event = Event.DOWN if self.down else Event.STOP
        return [Hook(run=self.hook, events=[event], timeout=self.hook_timeout or 3600)]


class Recovery(Strict):
    """Starts after the exit codes do not count as restarts on errors."""

    strategy: Strategy | None = None
    """None: SkyPilot's own, EAGER_NEXT_REGION."""
    max_restarts_on_errors: int | None = Field(default=None, ge=0, strict=True)
    recover_on_exit_codes: list[int] = Field(default_factory=list)

    _strategy = field_validator("strategy", mode="before")(upper)

    @field_validator("recover_on_exit_codes", mode="before")
    @classmethod
    def _codes(cls, value: object) -> object:
        codes = value if isinstance(value, list) else [] if value is None else [value]
        wrong = [c for c in codes if type(c) is not int or not 0 <= c <= _CODES]
        if wrong:
            raise refuse(f"must be exit codes from 0 to {_CODES}, not {printable(wrong[0])}")
        return codes


def autostop(value: object) -> Autostop:
    """Of `true`, `false`, minutes (`10`, `10m`, `2h`) or a mapping. Raises ValueError."""
    if isinstance(value, bool):
        return Autostop(enabled=value)
    if isinstance(value, dict):
        if "enabled" in value:
            raise refuse(unknown_field("enabled", "enabled", _AUTOSTOP))
        return nested(Autostop)({key: item for key, item in value.items() if item is not None})
    return Autostop(idle_minutes=forms.minutes(value))


def recovery(value: object) -> Recovery:
    """Of the name of a strategy, or a mapping. Raises ValueError."""
    return nested(Recovery)(value if isinstance(value, dict) else {"strategy": value})

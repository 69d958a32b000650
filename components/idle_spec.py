"""When a colony that nobody uses ends. Plain values."""

from __future__ import annotations

from enum import Enum

from pydantic import Field, field_validator, model_validator

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.problems import refuse

__all__ = ["Idle", "WaitFor"]


class WaitFor(str, Enum):
    """What keeps a colony from being idle."""

    JOBS_AND_SSH = "jobs_and_ssh"
    """Pods of jobs, other pods in their namespaces, and sessions that give signs of life."""
    JOBS = "jobs"
    """Pods of jobs."""
    NONE = "none"
    """Nothing: the timers run from the beginning."""


class Idle(Strict):
    """Two timers with one beginning: stop soon what costs, delete what was forgotten."""

    wait_for: WaitFor = WaitFor.JOBS_AND_SSH
    """jobs_and_ssh, jobs or none (a hard limit)."""
    stop: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds until the machines with accelerators go; the rest stays."""
    delete: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds until the colony is ended."""

    _durations = field_validator("stop", "delete", mode="before")(
        fields.optional(fields.duration_or_zero)
    )

    @model_validator(mode="after")
    def _one_timer(self) -> Idle:
        if self.stop is None and self.delete is None:
            raise refuse(Problem("", "has no timer", "give it `delete`, `stop` or both"))
        if self.stop is not None and self.delete is not None and self.delete < self.stop:
            raise refuse(Problem("delete", f"is {self.delete} s, before stop ({self.stop} s)"))
        return self

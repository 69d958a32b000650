"""What happens to a job whose machines were taken, or that ended with an error. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pydantic import Field, field_validator

from jobs import fields
from jobs.model import Strict
from jobs.problems import printable, refuse

__all__ = ["Recovery", "Strategy", "Work", "saved_work"]

_CODES = 255


class Strategy(str, Enum):
    """Where a job whose machines were taken starts again."""

    FAILOVER = "FAILOVER"
    """In the same region, then in the next."""
    EAGER_NEXT_REGION = "EAGER_NEXT_REGION"
    """In the next region, and in the same one last."""


class Recovery(Strict):
    """Starts after machines were taken are not counted: budget, lease and max_run_time bound
    them."""

    strategy: Strategy = Strategy.EAGER_NEXT_REGION
    """FAILOVER or EAGER_NEXT_REGION."""
    max_restarts_on_errors: int = Field(default=0, ge=0, le=1000, strict=True)
    """How often a job that ended with an error starts again, where it is."""
    recover_on_exit_codes: list[int] = Field(default_factory=list)
    """Exit codes after which it starts again, and that is not counted."""
    checkpoint_interval: int = Field(default=3600, json_schema_extra=fields.DURATION)
    """Seconds of work between two checkpoints, as the job makes them."""
    saves_in: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds that a last checkpoint takes after SIGTERM; absent = it makes none then."""

    _interval = field_validator("checkpoint_interval", mode="before")(fields.duration)
    _saves_in = field_validator("saves_in", mode="before")(fields.optional(fields.duration))

    @field_validator("strategy", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("recover_on_exit_codes", mode="before")
    @classmethod
    def _exit_codes(cls, value: object) -> object:
        codes = value if isinstance(value, list) else [value]
        wrong = [code for code in codes if type(code) is not int or not 0 <= code <= _CODES]
        if wrong:
            raise refuse(f"must be exit codes from 0 to {_CODES}, not {printable(wrong[0])}")
        return codes


@dataclass
class Work:
    """How far a job is, in seconds of work, over all of its starts."""

    recovery: Recovery
    done: float = 0.0
    """Behind a checkpoint: what the next start goes on from."""

    def stop(self, worked: float, notice: float) -> float:
        """It ran for `worked` seconds and was stopped, SIGTERM `notice` seconds before the end.
        Returns the seconds that are lost."""
        whole, saves = self.done + worked, self.recovery.saves_in
        saved = saves is not None and saves <= notice
        step = self.recovery.checkpoint_interval
        self.done = whole if saved else saved_work(self.done, worked, step)
        return whole - self.done


def saved_work(done: float, worked: float, interval: float) -> float:
    """What is behind a checkpoint after `worked` seconds more; all are seconds of work."""
    return max(done, (done + worked) // interval * interval)

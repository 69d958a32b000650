"""The bounds of a job and what ends it. Plain values."""

from __future__ import annotations

from enum import Enum
from pathlib import PurePosixPath

from pydantic import Field, field_validator, model_validator

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import check_name
from jobs.problems import printable, refuse

__all__ = ["CleanUp", "Elastic", "Output", "Pods", "Policy", "Restart", "RolePhase"]


class Restart(str, Enum):
    """What happens to a pod whose container ended."""

    NEVER = "Never"
    ON_FAILURE = "OnFailure"
    ALWAYS = "Always"
    EXIT_CODE = "ExitCode"
    """128 to 255 (a signal, a lost node) starts again; 1 to 127 is the program's own failure."""


class Pods(str, Enum):
    """How many pods of a role must have ended one way for the role to have."""

    ANY = "AnyPod"
    ALL = "AllPods"


class RolePhase(str, Enum):
    """How far a role is."""

    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class CleanUp(str, Enum):
    """Which pods are deleted when the job has ended; logs are kept in any case."""

    NONE = "None"
    RUNNING = "Running"
    ALL = "All"


class Input(Strict):
    """A bucket's objects, or one of them, copied into every pod before its `setup`."""

    path: str = Field(min_length=1)
    """Absolute, `~/...`, or inside the working directory."""
    source: str
    """s3://, gs://, az:// or file://; one that ends with / is a folder."""

    _source = field_validator("source")(fields.bucket)

    @field_validator("path")
    @classmethod
    def _stays(cls, path: str) -> str:
        if ".." in PurePosixPath(path).parts:
            raise refuse(Problem("", f"{printable(path)} leaves its folder", "leave out `..`"))
        return path


class Output(Strict):
    """A path (relative to the working directory) copied out before the destroy."""

    path: str = Field(min_length=1)
    """Inside the working directory."""
    to: str
    """s3://, gs://, az:// or file://"""

    _to = field_validator("to")(fields.bucket)

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise refuse(Problem("", "must lie inside the working directory", "give it relative"))
        return path


class Policy(Strict):
    """Bounds on failure, and which roles decide. Absent clauses: what the framework knows.

    `failure` and `success` are alternatives of roles that must all have ended so:
    `[[ps], [chief, worker]]` = the ps, or the chief and the worker. Failed beats succeeded.
    """

    backoff_limit: int = Field(default=0, ge=0, le=1000, strict=True)
    """How often a failed job starts again."""
    startup_timeout: int = Field(default=30 * 60, json_schema_extra=fields.DURATION)
    """Seconds until all pods must run; then the job fails and everything is released."""
    failure: list[list[str]] | None = None
    """The job has failed when all roles of one clause have."""
    success: list[list[str]] | None = None
    """The job has succeeded when all roles of one clause have."""
    gang: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)
    """Pods that start together or not at all; absent = all."""
    ttl: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds after its end until the job's objects are deleted; absent = with the colony."""
    clean_up: CleanUp = CleanUp.RUNNING
    """Which pods are deleted at the end."""

    _startup_timeout = field_validator("startup_timeout", mode="before")(fields.duration)
    _ttl = field_validator("ttl", mode="before")(fields.optional(fields.duration_or_zero))

    @field_validator("failure", "success")
    @classmethod
    def _clauses(cls, clauses: list[list[str]] | None) -> list[list[str]] | None:
        if clauses is not None and not (clauses and all(clauses)):
            hint = "leave the field out for the framework's own rule"
            raise refuse(Problem("", "has an empty clause, which would always hold", hint))
        return clauses


class Elastic(Strict):
    """A role whose pods come and go while the job runs, one by one, kept by the colony's agent."""

    min: int = Field(default=1, ge=1, le=100_000, strict=True)
    """Never fewer pods than this."""
    max: int = Field(ge=1, le=100_000, strict=True)
    """Never more pods than this."""
    role: str = "worker"
    """Which role; its `replicas` is the number at the start."""
    slots: int | None = Field(default=None, ge=1, le=1000, strict=True)
    """Processes a pod, as the discovery script says them; absent = the role's processes."""
    scale_timeout: int = Field(default=60, json_schema_extra=fields.DURATION)
    """Seconds a scaling may take before it is rolled back."""
    grow: bool = Field(default=False, strict=True)
    """Whether pods that were lost come back when there is room again."""

    _scale_timeout = field_validator("scale_timeout", mode="before")(fields.duration)

    @field_validator("role")
    @classmethod
    def _role(cls, name: str) -> str:
        return check_name(name)

    @model_validator(mode="after")
    def _ordered(self) -> Elastic:
        if self.min > self.max:
            raise refuse(Problem("min", f"is {self.min}, more than max ({self.max})"))
        return self

"""What a job is: named roles with replicas, a template, resources and bounds. Plain values."""

from __future__ import annotations

from enum import Enum
from pathlib import PurePosixPath

from pydantic import ConfigDict, Field, field_serializer, field_validator, model_validator

from jobs import fields
from jobs.clouds import parse_cloud, settle_kubernetes
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import NAME_LENGTH, check_keys, check_name, check_variables
from jobs.problems import refuse

__all__ = ["Backend", "Framework", "Job", "Output", "Policy", "Resources", "Role"]

_POD_SUFFIX = len("-0-99999-abcde")
"""What JobSet adds to `<job>-<role>`: replica, index, five random characters."""


class Framework(str, Enum):
    """What wires the rendezvous."""

    PYTORCH = "pytorch"
    CUSTOM = "custom"


class Backend(str, Enum):
    """Which Kubernetes kind the job becomes."""

    JOBSET = "jobset"


class Resources(Strict):
    """What one node (pod) of the job needs."""

    accelerators: str | None = None
    """Canonical `H100:8`; None for a CPU job. Count may be a fraction (`L4:0.5`)."""
    cpus: str | None = Field(default=None, json_schema_extra=fields.NUMBER_OR_TEXT)
    """`4` exactly or `4+` at least."""
    memory: str | None = Field(default=None, json_schema_extra=fields.NUMBER_OR_TEXT)
    """GiB, `64` exactly or `64+` at least; files may say `64GB`."""
    cloud: str | None = None
    """aws, azure, gcp, ...; None = anywhere; `kubernetes` alone means anywhere too."""
    region: str | None = None
    """None = the cheapest."""
    zone: str | None = None
    """None = any."""
    context: str | None = Field(default=None, min_length=1)
    """An existing cluster's kubeconfig context (`infra: k8s/CONTEXT`); cloud is `existing` then."""
    instance_type: str | None = None
    """The cloud's own name of the machine."""
    use_spot: bool = Field(default=False, strict=True)
    """Whether the machines may be taken away at any time, for a lower price."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Kubernetes labels of the workload."""

    _settle = model_validator(mode="before")(settle_kubernetes)
    _accelerators = field_validator("accelerators", mode="before")(
        fields.optional(fields.accelerators)
    )
    _cpus = field_validator("cpus", mode="before")(fields.optional(fields.cpus))
    _memory = field_validator("memory", mode="before")(fields.optional(fields.memory))
    _cloud = field_validator("cloud", mode="before")(fields.optional(parse_cloud))
    _words = field_validator("region", "zone", "instance_type")(fields.optional(fields.word))
    _texts = field_validator("labels", mode="before")(fields.texts)
    _labels = field_validator("labels")(fields.labels)

    @model_validator(mode="after")
    def _fits_existing(self) -> Resources:
        if self.cloud != "existing":
            return self._without_context()
        chosen = {"region": self.region, "zone": self.zone, "instance_type": self.instance_type}
        problems = [
            Problem(name, "has no meaning on an existing cluster", "leave it out")
            for name, value in {**chosen, "use_spot": self.use_spot}.items()
            if value
        ]
        if problems:
            raise refuse(*problems)
        return self

    def _without_context(self) -> Resources:
        if self.context is not None:
            hint = "leave out cloud, or write `cloud: existing`"
            raise refuse(Problem("context", f"is not for the cloud {self.cloud}", hint))
        return self


class Role(Strict):
    """Replicas of one template. Fields left out are taken from the job."""

    replicas: int = Field(default=1, ge=1, le=100_000, strict=True)
    """How many pods."""
    image: str | None = None
    """Container image."""
    setup: str | None = None
    """Shell script, run once in each pod before `run`."""
    run: str | None = None
    """Shell script."""
    envs: dict[str, str] = Field(default_factory=dict, json_schema_extra=fields.TEXTS)
    """Environment variables."""
    resources: Resources | None = None
    """What one replica needs."""

    _image = field_validator("image")(fields.optional(fields.image))
    _texts = field_validator("envs", mode="before")(fields.texts)

    @field_validator("envs")
    @classmethod
    def _variables(cls, envs: dict[str, str]) -> dict[str, str]:
        check_variables(envs)
        return envs


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
    """Bounds on failure."""

    backoff_limit: int = Field(default=0, ge=0, le=1000, strict=True)
    """How often a failed job starts again."""
    startup_timeout: int = Field(default=30 * 60, json_schema_extra=fields.DURATION)
    """Seconds."""

    _startup_timeout = field_validator("startup_timeout", mode="before")(fields.duration)


class Job(Strict):
    """One training job. Durations are seconds (written as `24h`, `90m`, `30s` in files).

    The values of `secrets` are in the attribute alone: repr and dumps hold only their names
    (`{"TOKEN": ""}`), and validation errors repeat no input.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    name: str
    """A DNS label."""
    colony: str | None = None
    """The colony it joins; absent = one is made for it."""
    framework: Framework = Framework.PYTORCH
    """What wires the rendezvous."""
    backend: Backend = Backend.JOBSET
    """Which Kubernetes kind the job becomes."""
    image: str | None = None
    """Container image; absent = the default PyTorch image."""
    workdir: str | None = Field(default=None, min_length=1)
    """A folder, relative to the file: its content is the working directory of every pod."""
    setup: str | None = None
    """Shell script, run once in each pod before `run`."""
    run: str | None = None
    """Shell script, run in every pod."""
    envs: dict[str, str] = Field(default_factory=dict, json_schema_extra=fields.TEXTS)
    """Environment variables. An empty one must be given with --env."""
    secrets: dict[str, str] = Field(
        default_factory=dict, repr=False, json_schema_extra=fields.TEXTS
    )
    """Environment variables that are kept secret. An empty one must be given with --env."""
    resources: Resources = Field(default_factory=Resources)
    """What one node needs."""
    nodes: int = Field(default=1, ge=1, le=100_000, strict=True)
    """How many nodes (pods), started together."""
    processes_per_node: int | None = Field(default=None, ge=1, le=1000, strict=True)
    """Default: the accelerators of a node, or 1."""
    roles: dict[str, Role] = Field(default_factory=dict)
    """Empty = one role `worker` with `nodes` replicas."""
    policy: Policy = Field(default_factory=Policy)
    """Bounds on failure."""
    queue: str | None = None
    """The Kueue local queue."""
    priority: str | None = None
    """The Kueue priority class."""
    max_run_time: int = Field(default=24 * 3600, json_schema_extra=fields.DURATION)
    """Seconds; the job is stopped after it."""
    expected_run_time: int = Field(default=3600, json_schema_extra=fields.DURATION)
    """Modelled duration of a rehearsal without --exec, and of the cost shown by a plan."""
    outputs: list[Output] = Field(default_factory=list)
    """What is copied out before the destroy."""

    _framework = field_validator("framework", mode="before")(fields.named("framework", Framework))
    _backend = field_validator("backend", mode="before")(fields.named("backend", Backend))
    _image = field_validator("image")(fields.optional(fields.image))
    _texts = field_validator("envs", "secrets", mode="before")(fields.texts)
    _durations = field_validator("max_run_time", "expected_run_time", mode="before")(
        fields.duration
    )

    @field_validator("name", "colony")
    @classmethod
    def _names(cls, name: str | None) -> str | None:
        return None if name is None else check_name(name, NAME_LENGTH)

    @field_validator("queue", "priority")
    @classmethod
    def _label_names(cls, name: str | None) -> str | None:
        return None if name is None else check_name(name)

    @field_validator("envs", "secrets")
    @classmethod
    def _variables(cls, envs: dict[str, str]) -> dict[str, str]:
        check_variables(envs)
        return envs

    @field_validator("roles")
    @classmethod
    def _role_names(cls, roles: dict[str, Role]) -> dict[str, Role]:
        check_keys(roles)
        return roles

    @model_validator(mode="after")
    def _consistent(self) -> Job:
        problems = [*self._twice(), *self._replicas(), *self._long_roles()]
        if problems:
            raise refuse(*problems)
        return self

    @field_serializer("secrets")
    def _names_only(self, secrets: dict[str, str]) -> dict[str, str]:
        return dict.fromkeys(secrets, "")

    def _twice(self) -> list[Problem]:
        both = sorted(set(self.envs) & set(self.secrets))
        return [Problem(f"secrets.{name}", "is in envs too", "keep one") for name in both]

    def _replicas(self) -> list[Problem]:
        total = sum(role.replicas for role in self.roles.values())
        if not self.roles or self.nodes in (1, total):
            return []
        message = f"is {self.nodes}, but the roles have {total} replicas"
        return [Problem("nodes", message, "leave it out: the roles say it")]

    def _long_roles(self) -> list[Problem]:
        limit = 63 - _POD_SUFFIX - len(self.name) - 1
        return [
            Problem(f"roles.{name}", f"must be at most {limit} characters beside the job's name")
            for name in self.roles
            if len(name) > limit
        ]

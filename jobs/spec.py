"""What a job is: named roles with replicas, a template, resources and bounds. Plain values."""

from __future__ import annotations

import math
from enum import Enum

from pydantic import ConfigDict, Field, field_serializer, field_validator, model_validator

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import NAME_LENGTH, check_keys, check_name, check_variables
from jobs.policy import Elastic, Input, Output, Policy
from jobs.problems import printable, refuse
from jobs.recovery import Recovery
from jobs.resources import Resources
from jobs.role import Role, SecretEnv, Toleration, Volume

__all__ = [
    "Backend", "Framework", "Input", "Job", "Launch", "Mpi", "MpiKind", "Output", "Policy",
    "Preference", "Resources", "Role", "TensorFlow",
]  # fmt: skip

_POD_SUFFIX = len("-0-99999-abcde")
"""What JobSet adds to `<job>-<role>`: replica, index, five random characters."""


class Framework(str, Enum):
    """What wires the rendezvous."""

    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    MPI = "mpi"
    HOROVOD = "horovod"
    BAGUA = "bagua"
    DASK = "dask"
    RAY = "ray"
    DEEPSPEED = "deepspeed"
    CUSTOM = "custom"
    STANDALONE = "standalone"


class Backend(str, Enum):
    """Which Kubernetes kind the job becomes."""

    JOBSET = "jobset"
    JOB = "job"
    VOLCANO = "volcano"
    TRAINJOB = "trainjob"
    MPIJOB = "mpijob"
    RAYJOB = "rayjob"


class MpiKind(str, Enum):
    """Whose MPI is in the image: they read different hostfiles."""

    OPENMPI = "openmpi"
    MPICH = "mpich"


class Launch(str, Enum):
    """How a launcher starts processes on the workers."""

    SSH = "ssh"
    KUBECTL = "kubectl"


class Mpi(Strict):
    """For the frameworks with a launcher: mpi, horovod, deepspeed."""

    implementation: MpiKind = MpiKind.OPENMPI
    """openmpi or mpich."""
    launch: Launch = Launch.SSH
    """ssh (keys are made in the pods) or kubectl (needs kubectl in the image)."""
    hostfile: str = Field(default="/etc/mpi/hostfile", pattern=r"^/[^\s]+$")
    """Where the launcher finds its hosts."""


class Preference(str, Enum):
    """How one of several candidates is chosen."""

    ANY = "any"
    ORDERED = "ordered"


class TensorFlow(Strict):
    """For tensorflow."""

    dynamic_workers: bool = Field(default=False, strict=True)
    """Workers may come and go: each is told only of itself and the parameter servers."""


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
    """What one node needs: the first candidate, where there are several."""
    alternatives: list[Resources] = Field(default_factory=list)
    """What would do as well as `resources`, for the roles that have none of their own."""
    preference: Preference = Preference.ANY
    """any = the cheapest of `resources` and `alternatives`; ordered = the first to be had."""
    nodes: int = Field(default=1, ge=1, le=100_000, strict=True)
    """How many nodes (pods), started together."""
    processes_per_node: int | None = Field(default=None, ge=1, le=1000, strict=True)
    """Default: the accelerators of a node, or 1."""
    roles: dict[str, Role] = Field(default_factory=dict)
    """Empty = one role `worker` with `nodes` replicas."""
    policy: Policy = Field(default_factory=Policy)
    """Bounds on failure."""
    cluster: str | None = None
    """The colony's cluster that it runs on; absent = the first that fits."""
    recovery: Recovery | None = None
    """Whether it starts again, and where; absent = after its spot machines were taken."""
    queue: str | None = None
    """The Kueue local queue."""
    priority: str | None = None
    """The Kueue priority class."""
    max_run_time: int = Field(default=24 * 3600, json_schema_extra=fields.DURATION)
    """Seconds; the job is stopped after it."""
    expected_run_time: int = Field(default=3600, json_schema_extra=fields.DURATION)
    """Modelled duration of a rehearsal without --exec, and of the cost shown by a plan."""
    inputs: list[Input] = Field(default_factory=list)
    """What is copied into every pod before `setup`."""
    outputs: list[Output] = Field(default_factory=list)
    """What is copied out before the destroy."""
    reads: dict[str, float] = Field(default_factory=dict)
    """URI -> GB that the job reads: an estimate, for the price of moving them."""
    writes: dict[str, float] = Field(default_factory=dict)
    """URI -> GB that it writes, and the next task of a pipeline reads."""
    elastic: Elastic | None = None
    """One role may grow and shrink while the job runs."""
    mpi: Mpi = Field(default_factory=Mpi)
    """How a launcher reaches its workers."""
    tensorflow: TensorFlow = Field(default_factory=TensorFlow)
    """Options of tensorflow."""
    suspend: bool = Field(default=False, strict=True)
    """Made, but not started until this is false again."""
    spread: bool = Field(default=False, strict=True)
    """At most one pod of the job a node."""
    shared_memory: str | None = Field(default=None, json_schema_extra=fields.NUMBER_OR_TEXT)
    """Size of /dev/shm in GiB (files may say `64GB`); absent = up to the pod's memory."""
    rdma: bool | None = Field(default=None, strict=True)
    """Absent = where the instance type has it; true = must be had; false = not used."""
    tolerations: list[Toleration] = Field(default_factory=list)
    """Taints that the pods put up with, beside those of the accelerators."""
    volumes: list[Volume] = Field(default_factory=list)
    """Mounted into every pod."""
    image_pull_secrets: list[str] = Field(default_factory=list)
    """Names of Secrets that hold the registries' credentials."""
    env_from: list[SecretEnv] = Field(default_factory=list)
    """Environment variables from Secrets that are in the cluster."""

    _framework = field_validator("framework", mode="before")(fields.named("framework", Framework))
    _backend = field_validator("backend", mode="before")(fields.named("backend", Backend))
    _shared_memory = field_validator("shared_memory", mode="before")(fields.optional(fields.memory))
    _image = field_validator("image")(fields.optional(fields.image))
    _texts = field_validator("envs", "secrets", mode="before")(fields.texts)
    _durations = field_validator("max_run_time", "expected_run_time", mode="before")(
        fields.duration
    )

    @field_validator("name", "colony")
    @classmethod
    def _names(cls, name: str | None) -> str | None:
        return None if name is None else check_name(name, NAME_LENGTH)

    @field_validator("image_pull_secrets")
    @classmethod
    def _secret_names(cls, names: list[str]) -> list[str]:
        check_keys(names)
        return names

    @field_validator("cluster", "queue", "priority")
    @classmethod
    def _label_names(cls, name: str | None) -> str | None:
        return None if name is None else check_name(name)

    @field_validator("envs", "secrets")
    @classmethod
    def _variables(cls, envs: dict[str, str]) -> dict[str, str]:
        check_variables(envs)
        return envs

    @field_validator("reads", "writes")
    @classmethod
    def _sizes(cls, sizes: dict[str, float]) -> dict[str, float]:
        wrong = [uri for uri, size in sizes.items() if not (math.isfinite(size) and size >= 0)]
        if wrong:
            raise refuse(*(Problem(printable(uri), "must be GB, 0 or more") for uri in wrong))
        return sizes

    @field_validator("roles")
    @classmethod
    def _role_names(cls, roles: dict[str, Role]) -> dict[str, Role]:
        check_keys(roles)
        return roles

    @model_validator(mode="after")
    def _consistent(self) -> Job:
        problems = [
            *self._twice(), *self._replicas(), *self._long_roles(), *self._recovered_twice(),
        ]  # fmt: skip
        if problems:
            raise refuse(*problems)
        return self

    @field_serializer("secrets")
    def _names_only(self, secrets: dict[str, str]) -> dict[str, str]:
        return dict.fromkeys(secrets, "")

    def _twice(self) -> list[Problem]:
        both = sorted(set(self.envs) & set(self.secrets))
        return [Problem(f"secrets.{name}", "is in envs too", "keep one") for name in both]

    def _recovered_twice(self) -> list[Problem]:
        if self.elastic is None or self.recovery is None:
            return []
        hint = "leave one of them out"
        return [Problem("recovery", "an elastic job replaces lost pods by itself", hint)]

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

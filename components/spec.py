"""What a colony is, as validated plain values. Pure: no pulumi."""

from __future__ import annotations

import re
from enum import Enum

from pydantic import ConfigDict, Field, field_validator, model_validator

from components.access import Access
from components.health_spec import Health
from components.hosts import HostSpec, Ssh, check_installer
from components.idle_spec import Idle
from components.layer_spec import LayerChoice
from components.pool_spec import PART_LENGTH, Capacity, PoolSpec
from components.signal_spec import Signal
from jobs import fields
from jobs.clouds import parse_cloud, settle_kubernetes
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import NAME_LENGTH, check_keys, check_name, duplicates
from jobs.problems import printable, refuse
from jobs.spec import Job

__all__ = [
    "OWNED", "Access", "Budget", "BudgetAction", "Capacity", "Cloud", "ClusterSpec", "ColonySpec",
    "LayerChoice", "PoolSpec", "QueueSpec", "Storage", "Teardown", "TeardownWhen",
]  # fmt: skip

_SLACK = 2 * 3600
"""Seconds a colony may outlive its longest job."""

_ONPREM = ("hosts", "ssh", "external_address", "installer")


class Cloud(str, Enum):
    """Where a cluster is."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    ONPREM = "onprem"
    EXISTING = "existing"


OWNED = (Cloud.ONPREM.value, Cloud.EXISTING.value)
"""Nothing there is rented: no inventory of a cloud lists it, and no tag is put on it."""


class BudgetAction(str, Enum):
    """What happens when the budget is spent."""

    DRAIN = "drain"
    KILL = "kill"


class TeardownWhen(str, Enum):
    """After which outcome a colony is destroyed."""

    ALWAYS = "always"
    SUCCESS = "success"
    FAILURE = "failure"
    NEVER = "never"


class ClusterSpec(Strict):
    """One cluster; an absent region is chosen by price."""

    name: str
    """A DNS label."""
    cloud: Cloud | None = None
    """Absent = the cheapest; `kubernetes` without a context means the same."""
    region: str | None = None
    """Absent = the cheapest."""
    zones: list[str] = Field(default_factory=list)
    """Absent = any of the region."""
    kubernetes: str | None = None
    """Version, `"1.34"`; absent = the one we tested."""
    pools: list[PoolSpec] = Field(default_factory=list)
    """Absent = what the jobs need."""
    access: Access | None = None
    """Who may reach its API server; absent = this machine's own public address."""
    max_price: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """USD per hour of all of it, at most; absent = any."""
    hosts: list[HostSpec] = Field(default_factory=list)
    """The machines, the first runs the control plane; on-prem only."""
    ssh: Ssh | None = None
    """How the hosts are reached; on-prem only."""
    external_address: str | None = None
    """Where hosts and you reach the control plane; absent = the first host's. On-prem only."""
    installer: str | None = None
    """Of k3s: an https address, or a path on the hosts; absent = its own. On-prem only."""
    kubeconfig: str | None = Field(default=None, min_length=1)
    """Path; an existing cluster only."""
    context: str | None = Field(default=None, min_length=1)
    """Kubeconfig context; an existing cluster only."""

    _settle = model_validator(mode="before")(settle_kubernetes)
    _cloud = field_validator("cloud", mode="before")(fields.optional(parse_cloud))
    _region = field_validator("region")(fields.optional(fields.word))
    _external = field_validator("external_address")(fields.optional(fields.word))
    _installer = field_validator("installer")(fields.optional(check_installer))

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        return check_name(name, PART_LENGTH)

    @field_validator("zones")
    @classmethod
    def _words(cls, words: list[str]) -> list[str]:
        return [fields.word(one) for one in words]

    @field_validator("kubernetes")
    @classmethod
    def _version(cls, version: str | None) -> str | None:
        if version is None or re.fullmatch(r"v?1\.\d{1,2}(\.\d{1,3})?", version):
            return version
        hint = 'write it like "1.34"'
        raise refuse(Problem("", f"{printable(version)} is not a Kubernetes version", hint))

    @model_validator(mode="after")
    def _consistent(self) -> ClusterSpec:
        problems = [
            *_twice("pools", [pool.name for pool in self.pools]),
            *_twice("hosts", [host.address for host in self.hosts]),
            *self._placed(),
        ]
        if problems:
            raise refuse(*problems)
        return self

    def _placed(self) -> list[Problem]:
        """What this kind of cluster cannot have, or must have."""
        if self.cloud is Cloud.EXISTING:
            return self._no(
                "region", "zones", "kubernetes", "pools", "access", "max_price", *_ONPREM
            )
        if self.cloud is Cloud.ONPREM:
            need = [] if self.hosts else [Problem("hosts", "required on-prem", "list the machines")]
            elsewhere = (
                "region", "zones", "pools", "access", "max_price", "kubeconfig", "context",
            )  # fmt: skip
            return [*need, *self._no(*elsewhere)]
        return [*self._zoned(), *self._no(*_ONPREM, "kubeconfig", "context")]

    def _zoned(self) -> list[Problem]:
        """Zones of AWS and Google are named after their region; Azure's are numbers."""
        if self.zones and not self.region:
            return [Problem("region", "required with zones")]
        if self.cloud not in (Cloud.AWS, Cloud.GCP):
            return []
        return [
            Problem(f"zones[{index}]", f"`{zone}` is not in the region {self.region}")
            for index, zone in enumerate(self.zones)
            if not zone.startswith(str(self.region))
        ]

    def _no(self, *names: str) -> list[Problem]:
        where = f"on the cloud {self.cloud.value}" if self.cloud else "without a cloud that has it"
        return [
            Problem(name, f"has no meaning {where}", "leave it out, or change the cloud")
            for name in names
            if getattr(self, name)
        ]


class QueueSpec(Strict):
    """A project's share of the accelerators."""

    project: str
    """A DNS label."""
    namespace: str | None = None
    """Absent = named like the project."""
    gpus: int = Field(default=0, ge=0, strict=True)
    """Its own."""
    borrow: int = Field(default=0, ge=0, strict=True)
    """How many idle ones of others it may take."""

    @field_validator("project", "namespace")
    @classmethod
    def _names(cls, name: str | None) -> str | None:
        return None if name is None else check_name(name)


class Budget(Strict):
    """The most a colony may cost."""

    usd: float = Field(gt=0, strict=True, allow_inf_nan=False)
    """US dollars."""
    action: BudgetAction = BudgetAction.DRAIN
    """drain = finish what runs, kill = stop at once."""


class Teardown(Strict):
    """How a colony ends."""

    when: TeardownWhen = TeardownWhen.ALWAYS
    """After which outcome."""
    grace: int = Field(default=60, json_schema_extra=fields.DURATION)
    """Seconds that the pods of a job have to end when it is told to: nobody waits for them where
    all jobs have ended by themselves."""
    keep_on_failure: int = Field(default=0, json_schema_extra=fields.DURATION)
    """Seconds a failed colony is kept to be looked at."""
    keep_lost: bool = False
    """Whether a colony is kept whose job's object was deleted by somebody: until its lease ends."""
    signals: list[Signal] | None = None
    """Who is told by the agent when all jobs of a cluster have ended; [] = nobody, but there is a
    record that the reaper reads. Absent = only the attached run sees to it."""

    @field_validator("signals")
    @classmethod
    def _signals(cls, signals: list[Signal] | None) -> list[Signal] | None:
        if twice := duplicates(signal.name for signal in signals or []):
            raise refuse(*[Problem(f"[{i}].name", f"another one is {name}") for i, name in twice])
        return signals

    _durations = field_validator("grace", "keep_on_failure", mode="before")(fields.duration_or_zero)


class Storage(Strict):
    """Where large archives go through."""

    bucket: str | None = None
    """s3://, gs://, az:// or file://"""

    _bucket = field_validator("bucket")(fields.optional(fields.bucket))


class ColonySpec(Strict):
    """A colony and its jobs."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: str
    """A DNS label; the name of the Pulumi stack."""
    clusters: list[ClusterSpec] = Field(default_factory=list)
    """Absent = made for the jobs, where they are cheapest."""
    layers: dict[str, LayerChoice] = Field(default_factory=dict)
    """What is installed on every cluster; absent = what the jobs need."""
    queues: list[QueueSpec] = Field(default_factory=list)
    """Who may use how much."""
    budget: Budget | None = None
    """Absent = none."""
    max_price: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """USD per hour of all of its clusters, at most; absent = any."""
    ttl: int | None = Field(default=None, json_schema_extra=fields.DURATION_OR_NULL)
    """Seconds; default: the longest max_run_time + 2 h."""
    idle: Idle | None = None
    """When it ends, or is made smaller, because nobody uses it; absent = never."""
    health: Health | None = None
    """What is done about nodes with broken hardware; absent = they are tainted where the colony's
    own clusters have elastic jobs or `idle`, whose agent sees to it."""
    teardown: Teardown = Field(default_factory=Teardown)
    """How it ends."""
    storage: Storage = Field(default_factory=Storage)
    """Where large archives go through."""
    jobs: list[Job] = Field(default_factory=list)
    """May also be documents of their own."""

    _ttl = field_validator("ttl", mode="before")(fields.optional(fields.duration))

    @property
    def lifetime(self) -> int:
        """Seconds until the lease ends: `ttl`, or the longest max_run_time + 2 h."""
        if self.ttl is not None:
            return self.ttl
        default = int(Job.model_fields["max_run_time"].default)
        return max((job.max_run_time for job in self.jobs), default=default) + _SLACK

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        return check_name(name, NAME_LENGTH)

    @field_validator("layers")
    @classmethod
    def _layer_names(cls, layers: dict[str, LayerChoice]) -> dict[str, LayerChoice]:
        check_keys(layers)
        return layers

    @model_validator(mode="after")
    def _consistent(self) -> ColonySpec:
        problems = [
            *_twice("clusters", [cluster.name for cluster in self.clusters]),
            *_twice("queues", [queue.project for queue in self.queues], "project"),
            *_twice("jobs", [job.name for job in self.jobs]),
            *self._shared_hosts(),
            *self._strangers(),
        ]
        if problems:
            raise refuse(*problems)
        return self

    def _shared_hosts(self) -> list[Problem]:
        """A machine is a node of one cluster."""
        owners: dict[tuple[str, int | None], str] = {}
        return [
            Problem(f"clusters[{number}].hosts[{index}]",
                    f"`{host.address}` is a host of cluster {owner} already",
                    "give each machine to one cluster")
            for number, cluster in enumerate(self.clusters)
            for index, host in enumerate(cluster.hosts)
            if (owner := owners.setdefault((host.address, host.port), cluster.name))
            != cluster.name
        ]  # fmt: skip

    def _strangers(self) -> list[Problem]:
        return [
            Problem(f"jobs[{index}].colony", f"is {job.colony}, but stands in {self.name}")
            for index, job in enumerate(self.jobs)
            if job.colony not in (None, self.name)
        ]


def _twice(where: str, names: list[str], field: str = "name") -> list[Problem]:
    suffix = "" if where in ("hosts",) else f".{field}"
    return [
        Problem(f"{where}[{index}]{suffix}", f"`{name}` is there twice", "give each its own name")
        for index, name in duplicates(names)
    ]

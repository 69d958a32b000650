"""A role: replicas of one template, and what it waits for. Plain values."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import check_keys, check_name, check_variables
from jobs.policy import Pods, Restart, RolePhase
from jobs.problems import refuse
from jobs.resources import Resources

__all__ = ["Dependency", "Role", "SecretEnv", "Toleration", "Volume"]


class Dependency(Strict):
    """Another role of the job, and how far it must be; `worker` alone means that it runs."""

    role: str
    """Its name."""
    phase: RolePhase = RolePhase.RUNNING
    """Running or Succeeded."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"role": value} if isinstance(value, str) else value

    @field_validator("phase")
    @classmethod
    def _reachable(cls, phase: RolePhase) -> RolePhase:
        if phase not in (RolePhase.RUNNING, RolePhase.SUCCEEDED):
            raise refuse(Problem("", f"cannot wait for {phase.value}", "Running or Succeeded"))
        return phase


class Toleration(Strict):
    """A taint that the pods put up with, in Kubernetes' own words."""

    key: str | None = None
    """Of the taint; absent (with Exists) = every taint."""
    operator: str = "Equal"
    """Equal or Exists."""
    value: str | None = None
    """Of the taint."""
    effect: str | None = None
    """NoSchedule, PreferNoSchedule or NoExecute; absent = all."""

    @model_validator(mode="after")
    def _kubernetes(self) -> Toleration:
        if self.operator not in ("Equal", "Exists"):
            raise refuse(Problem("operator", "must be Equal or Exists"))
        if self.operator == "Exists" and self.value is not None:
            raise refuse(Problem("value", "has no meaning with `operator: Exists`"))
        if self.effect not in (None, "NoSchedule", "PreferNoSchedule", "NoExecute"):
            hint = "NoSchedule, PreferNoSchedule or NoExecute"
            raise refuse(Problem("effect", "is no effect of a taint", hint))
        return self


class Volume(Strict):
    """Something mounted into every pod: exactly one source."""

    path: str = Field(pattern=r"^/[^\s:]*$")
    """Where it is mounted."""
    claim: str | None = None
    """An existing PersistentVolumeClaim."""
    config_map: str | None = None
    """An existing ConfigMap."""
    secret: str | None = None
    """An existing Secret."""
    host_path: str | None = Field(default=None, pattern=r"^/")
    """A folder of the node."""
    memory: str | None = None
    """A RAM disk of at most this size."""
    read_only: bool = Field(default=False, strict=True)
    """Whether the pods may only read it."""

    _memory = field_validator("memory", mode="before")(fields.optional(fields.memory))

    @model_validator(mode="after")
    def _one_source(self) -> Volume:
        sources = ("claim", "config_map", "secret", "host_path", "memory")
        given = [name for name in sources if getattr(self, name)]
        if len(given) != 1:
            message = f"has {len(given)} sources" if given else "has no source"
            raise refuse(Problem("", message, f"give one of {', '.join(sources)}"))
        return self


class SecretEnv(Strict):
    """Environment variables from a Secret that exists in the job's namespace."""

    secret: str
    """Its name."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Variable -> key of the Secret; empty = every key under its own name."""

    @field_validator("keys")
    @classmethod
    def _variables(cls, keys: dict[str, str]) -> dict[str, str]:
        check_variables(keys)
        return keys


class Role(Strict):
    """Replicas of one template. Fields left out are taken from the job, then the framework."""

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
    processes: int | None = Field(default=None, ge=1, le=1000, strict=True)
    """Processes a pod; absent = the job's, else the accelerators of a pod, or 1."""
    restart: Restart | None = None
    """Absent = the framework's, else Never."""
    depends_on: list[Dependency] | None = None
    """Roles that must be so far before this one's main containers start. `[]` = none."""
    ports: dict[str, int] = Field(default_factory=dict)
    """Name -> port that the pods listen on."""
    host_network: bool | None = Field(default=None, strict=True)
    """Whether the pods use the node's own network."""
    failed: Pods | None = None
    """When the role has failed; absent = at the first pod."""
    succeeded: Pods | None = None
    """When the role has succeeded; absent = when all pods have."""
    node_down_as_failed: bool | None = Field(default=None, strict=True)
    """Whether a pod on a node that stopped answering counts as failed."""
    template: dict[str, Any] = Field(default_factory=dict)
    """A Kubernetes PodTemplateSpec (`metadata`, `spec`) laid over the one that Colony writes."""

    _image = field_validator("image")(fields.optional(fields.image))
    _texts = field_validator("envs", mode="before")(fields.texts)

    @field_validator("envs")
    @classmethod
    def _variables(cls, envs: dict[str, str]) -> dict[str, str]:
        check_variables(envs)
        return envs

    @field_validator("ports")
    @classmethod
    def _ports(cls, ports: dict[str, int]) -> dict[str, int]:
        check_keys(ports)
        wrong = [name for name, port in ports.items() if not 0 < port < 65536]
        long = [name for name in ports if len(name) > 15]
        problems = [Problem(name, "must be between 1 and 65535") for name in wrong]
        problems += [Problem(name, "a port's name has at most 15 characters") for name in long]
        if problems:
            raise refuse(*problems)
        return ports

    @field_validator("template")
    @classmethod
    def _pod_template(cls, template: dict[str, Any]) -> dict[str, Any]:
        known = {"metadata": dict, "spec": dict}
        problems = [
            Problem(str(key), "is no part of a PodTemplateSpec", "metadata and spec")
            if key not in known
            else Problem(str(key), "must be a mapping")
            for key, value in template.items()
            if not isinstance(value, known.get(key, ()))
        ]
        if problems:
            raise refuse(*problems)
        return template

    @field_validator("depends_on")
    @classmethod
    def _dependencies(cls, found: list[Dependency] | None) -> list[Dependency] | None:
        for each in found or []:
            check_name(each.role)
        return found

"""One map of resources, without the choices around it: each field in its canonical form."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from jobs import fields
from jobs.errors import Problem
from jobs.importers.sky import forms, lifetime
from jobs.importers.sky.accelerators import Wanted, wanted
from jobs.importers.sky.lifetime import Autostop, Recovery
from jobs.importers.sky.nested import lowered
from jobs.importers.sky.place import cloud_name, parse_infra
from jobs.model import Strict
from jobs.problems import refuse

__all__ = ["DiskTier", "Entry", "NetworkTier"]


class DiskTier(str, Enum):
    """How fast a disk is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    ULTRA = "ultra"
    BEST = "best"


class NetworkTier(str, Enum):
    """How fast the network between nodes is."""

    STANDARD = "standard"
    BEST = "best"


class AcceleratorArgs(Strict):
    """For TPUs."""

    runtime_version: str | None = None
    tpu_name: str | None = None
    tpu_vm: bool | None = Field(default=None, strict=True)
    gcp_queued_resource: bool | None = Field(default=None, strict=True)


class Entry(Strict):
    """A field that was not written is not in `model_fields_set`; null is the same."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    infra: dict[str, str] | None = None
    """cloud, region and zone."""
    cloud: str | None = None
    region: str | None = None
    zone: str | None = None
    accelerators: Wanted | None = None
    gpus: Wanted | None = None
    accelerator_args: AcceleratorArgs | None = None
    cpus: str | None = None
    memory: str | None = None
    instance_type: str | None = None
    use_spot: bool | None = Field(default=None, strict=True)
    job_recovery: Recovery | None = None
    disk_size: int | None = None
    disk_tier: DiskTier | None = None
    network_tier: NetworkTier | None = None
    local_disk: str | None = None
    max_hourly_cost: float | None = Field(default=None, gt=0, allow_inf_nan=False, strict=True)
    ports: list[str] | None = None
    labels: dict[str, str] | None = None
    image_id: Any = None
    autostop: Autostop | None = None
    priority: int | None = Field(default=None, ge=-1000, le=1000, strict=True)
    priority_class: str | None = None
    volumes: list[Any] | None = None
    ephemeral_storage: Any = None

    _infra = field_validator("infra", mode="before")(fields.optional(parse_infra))
    _cloud = field_validator("cloud", mode="before")(fields.optional(cloud_name))
    _words = field_validator("zone", "instance_type")(fields.optional(fields.word))
    _accelerators = field_validator("accelerators", "gpus", mode="before")(fields.optional(wanted))
    _cpus = field_validator("cpus", mode="before")(fields.optional(fields.cpus))
    _memory = field_validator("memory", mode="before")(fields.optional(fields.memory))
    _recovery = field_validator("job_recovery", mode="before")(fields.optional(lifetime.recovery))
    _disk = field_validator("disk_size", mode="before")(fields.optional(forms.disk_size))
    _tiers = field_validator("disk_tier", "network_tier", mode="before")(lowered)
    _ports = field_validator("ports", mode="before")(fields.optional(forms.ports))
    _autostop = field_validator("autostop", mode="before")(fields.optional(lifetime.autostop))

    @field_validator("image_id")
    @classmethod
    def _image(cls, value: object) -> object:
        """One image, or one for each region."""
        images = list(value.values()) if isinstance(value, dict) else [value]
        if value is not None and not (images and all(isinstance(image, str) for image in images)):
            hint = "write docker:IMAGE"
            raise refuse(Problem("", "must be an image, or one for each region", hint))
        return value

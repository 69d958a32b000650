"""What one node of a job needs. Plain values."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from jobs import fields
from jobs.clouds import parse_cloud, settle_kubernetes
from jobs.errors import Problem
from jobs.model import Strict
from jobs.problems import refuse

__all__ = ["Resources"]


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
    max_price: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """USD for one node and hour, at most."""
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

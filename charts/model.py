"""What an entry of the registry says. One YAML file a layer; knows nothing of Pulumi."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "ChartError", "Checked", "Conditions", "Extra", "Health", "Layer", "Phase", "Provides",
    "Reason", "Site", "Variant", "When",
]  # fmt: skip


class ChartError(ValueError):
    """A layer's data is wrong, or no such layer exists."""


class When(str, Enum):
    """Which clusters get the layer unasked."""

    ALWAYS = "always"
    GPU = "gpu"
    """Those with accelerators of the layer's `vendors`."""
    BACKEND = "backend"
    """Those with a job of one of the layer's `backends`."""
    FABRIC = "fabric"
    """Those with machines on one of the layer's `fabrics`."""
    NAMED = "named"
    """Those whose user names it, and those where another layer needs it."""


class Phase(str, Enum):
    """When an extra object is made, seen from the layer's release."""

    BEFORE = "before"
    AFTER = "after"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(_Data):
    """A cluster as far as its layers go: plain facts, whoever built it."""

    cloud: str = ""
    node_image: str = ""
    """Of the nodes with accelerators."""
    kubernetes: str = ""
    """`1.35`; empty where it is not known."""
    vendors: frozenset[str] = frozenset()
    """Of the accelerators."""
    fabrics: frozenset[str] = frozenset()
    """The networks that GPUs use directly: `efa`, `infiniband`, `gib`."""
    architectures: frozenset[str] = frozenset()
    """Of the nodes: `amd64`, `arm64`."""
    backends: frozenset[str] = frozenset()
    """Of the jobs."""
    tolerations: tuple[dict[str, str], ...] = ()
    """Of taints that the cloud puts on nodes with accelerators, beside the GPUs' own."""
    queued_pods: bool = False
    """Whether plain pods queue: the workers of an elastic job with a queue."""
    layers: frozenset[str] = frozenset()
    """What was chosen; known only once it is."""


class Conditions(_Data):
    """Every condition that is given must hold."""

    cloud: str | None = None
    node_image: str | None = None
    fabric: str | None = None
    architecture: str | None = None
    layer: str | None = None
    """Another layer that the cluster gets too."""
    queued_pods: bool | None = None

    def holds(self, site: Site) -> bool:
        return (
            self.cloud in (None, site.cloud)
            and self.node_image in (None, site.node_image)
            and (self.fabric is None or self.fabric in site.fabrics)
            and (self.architecture is None or self.architecture in site.architectures)
            and (self.layer is None or self.layer in site.layers)
            and self.queued_pods in (None, site.queued_pods)
        )


class Variant(Conditions):
    """Values merged over the base where the conditions hold."""

    values: dict[str, Any]
    append: dict[str, list[Any]] = Field(default_factory=dict)
    """Dotted path -> items put at the end of the list there."""
    why: str = ""
    source: str = ""


class Extra(Conditions):
    """An object beside the release: what must be there before it, or its own custom resource."""

    phase: Phase = Phase.AFTER
    manifest: dict[str, Any]
    why: str = ""
    source: str = ""


class Reason(_Data):
    """Why a value is what it is, and where that is written."""

    why: str
    source: str


class Provides(_Data):
    """What exists once the layer is up."""

    crds: list[str] = Field(default_factory=list)
    """By their full names, `jobsets.jobset.x-k8s.io`; no two layers may own one."""
    resources: list[str] = Field(default_factory=list)
    """Extended resources of nodes, `nvidia.com/gpu`."""
    schedulers: list[str] = Field(default_factory=list)
    """Names for a pod's `schedulerName`."""
    finalizers: list[str] = Field(default_factory=list)
    """Kinds whose objects only this layer's controller lets go, `ClusterQueue`."""


class Health(_Data):
    """What has to be ready before the layer is: names as the release makes them."""

    deployments: list[str] = Field(default_factory=list)
    statefulsets: list[str] = Field(default_factory=list)
    daemonsets: list[str] = Field(default_factory=list)
    conditions: dict[str, str] = Field(default_factory=dict)
    """`Kind/name` of a custom resource -> `path=value` that its status must show."""


class Checked(_Data):
    """What a run against the chart itself found (`tools/check_chart.py` writes it)."""

    tag: str
    """Of the chart's source, or the version of its archive."""
    values_sha256: str
    """Of the chart's values.yaml."""
    paths: list[str]
    """Every path that this entry sets, each found in the chart; `.*` = free below."""


class Layer(_Data):
    """One pinned Helm release."""

    name: str
    title: str
    chart: str
    """A name in `repository`, a whole `oci://` reference, or `./FOLDER`: a chart of our own."""
    repository: str | None = None
    version: str
    namespace: str
    namespace_labels: dict[str, str] = Field(default_factory=dict)
    when: When = When.ALWAYS
    backends: list[str] = Field(default_factory=list)
    """Of jobs that cannot do without the layer."""
    vendors: list[str] = Field(default_factory=list)
    """Of the accelerators that it serves; empty = it does not care."""
    fabrics: list[str] = Field(default_factory=list)
    """That it serves."""
    clouds: list[str] = Field(default_factory=list)
    """Where it can run; empty = anywhere."""
    kubernetes: str = ""
    """The versions it works with, `>=1.33,<1.37`."""
    bundles: dict[str, list[str]] = Field(default_factory=dict)
    """Dotted path of a switch -> CRDs that the chart brings too where it is on."""
    priority_classes: list[str] = Field(default_factory=list)
    """Of its pods, where they are the system's: some clouds admit those within a quota only."""
    needs: list[str] = Field(default_factory=list)
    after: list[str] = Field(default_factory=list)
    """Layers that go in before this one where a cluster has them."""
    beside_jobs: bool = False
    """Whether jobs start without waiting for it."""
    early: bool = False
    """Whether Helm finds it ready without nodes with accelerators: it goes in while they come."""
    provides: Provides = Field(default_factory=Provides)
    node_selectors: list[str] = Field(default_factory=list)
    """Dotted paths of values that take a node selector."""
    tolerations: list[str] = Field(default_factory=list)
    """Dotted paths of values that take tolerations, for pods that go to the GPU nodes."""
    health: Health = Field(default_factory=Health)
    hooks: list[str] = Field(default_factory=list)
    """`pre-install: what it does`: Helm hooks that the layer cannot do without."""
    timeout: int = Field(gt=0, le=3600)
    """Seconds that Helm waits."""
    values: dict[str, Any] = Field(default_factory=dict)
    because: dict[str, Reason] = Field(default_factory=dict)
    """Dotted path of `values`, or the head of one -> why."""
    variants: list[Variant] = Field(default_factory=list)
    extras: list[Extra] = Field(default_factory=list)
    yaml_strings: list[str] = Field(default_factory=list)
    """Dotted paths of values that the chart takes as YAML text."""
    checked: Checked | None = None
    sources: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _reachable(self) -> Layer:
        for kind in (When.BACKEND, When.FABRIC):
            field = f"{kind.value}s"
            if self.when is kind and not getattr(self, field):
                raise ValueError(f"{field}: names none, so no cluster would get the layer")
        return self

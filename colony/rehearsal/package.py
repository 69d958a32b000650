"""A simulated package is data: `packages/*.yaml`, read into these models.

Texts are templates (`colony.rehearsal.templates`). Seconds, USD and GiB throughout. Where a number
or a vendor's text comes from stands beside it, in the data.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from jobs.errors import InputError, Problem
from jobs.model import Strict

__all__ = [
    "Backing", "Chart", "ErrorText", "Kind", "Made", "Package", "Price", "Reference",
    "ResourceType", "Seconds", "load_package", "load_packages", "package_names",
]  # fmt: skip

FOLDER = Path(__file__).parent / "packages"


class ErrorText(Strict):
    """What a cloud answers: `message` is a template that may use {code}, {id} and the inputs."""

    code: str
    message: str
    seconds: float | None = None
    """How long it takes to fail; default: as long as to succeed."""
    source: str = ""


class Seconds(Strict):
    """How long an operation takes."""

    create: float = 1
    update: float = 1
    delete: float = 1


class Price(Strict):
    """USD per hour: `hour`, or an instance's catalogue price, or a disk's; times `count`."""

    hour: float | None = None
    instance: str | None = None
    spot: str | None = None
    """True where this renders to one of SPOT, spot, true."""
    gib: str | None = None
    gib_month: float | None = None
    """USD per GiB and month of 730 hours."""
    count: str | int = 1
    source: str = ""


class Reference(Strict):
    """An input that names another thing. `blocks`: that thing cannot go before this one.
    `cascade`: this one goes with it. `optional`: it may be made by others than us. `part`: this is
    no thing of its own (an attachment), and whoever deletes the other by hand takes it off first.
    """

    type: str
    blocks: bool = True
    cascade: bool = False
    optional: bool = False
    part: bool = False


class Made(Strict):
    """A thing that appears with another and goes with it."""

    type: str
    id: str | None = None
    """In the words of the owner's rules; default: the type's own rule."""
    each: str | None = None
    """A list: one thing for each; `{each}` is the item."""
    inputs: dict[str, Any] = Field(default_factory=dict)


class Drift(Strict):
    """What the cloud, or a controller, changes by itself after the make."""

    path: str
    """Dotted; `*` is every item of a list."""
    value: Any
    given: str | None = None
    """An input without which it leaves the thing alone."""
    source: str


class ResourceType(Strict):
    """The rules of one type token."""

    id: str
    autoname: str | None = None
    """The input that gets a name where the program gives none."""
    unique: str | None = None
    """The input whose value can be there once: a replacement deletes first."""
    tags: str | None = None
    """The input with its tags, where it is not the package's; a text is read as `key=value, …`."""
    patterns: dict[str, str] = Field(default_factory=dict)
    """Input -> what the cloud lets it look like, as a regular expression of the whole."""
    demands: dict[str, str] = Field(default_factory=dict)
    """Input that the SDK leaves open and the cloud wants -> the error without it."""
    fixed: dict[str, str] = Field(default_factory=dict)
    """A list that follows from the inputs, in whatever order -> the error of an update that changes
    it; its text may use {before} and {after}."""
    seconds: Seconds = Seconds()
    defaults: dict[str, Any] = Field(default_factory=dict)
    """Outputs for inputs that were not given."""
    outputs: dict[str, Any] = Field(default_factory=dict)
    """Computed outputs, in order; dotted paths reach into objects."""
    empty: list[str] = Field(default_factory=list)
    """Outputs that this cloud leaves at their type's empty value here."""
    replace: list[str] = Field(default_factory=list)
    """Inputs that cannot change in place; `*` is all but tags."""
    refers: dict[str, Reference] = Field(default_factory=dict)
    marks: list[str] = Field(default_factory=list)
    blocked_by: list[str] = Field(default_factory=list)
    """Marks of other things that hold this one."""
    makes: list[Made] = Field(default_factory=list)
    price: list[Price] = Field(default_factory=list)
    idle: bool = False
    """Nobody uses it, and it holds no data, once what made it is gone."""
    cluster: str | None = None
    """The identifier of the Kubernetes cluster that this is."""
    errors: dict[str, ErrorText] = Field(default_factory=dict)
    drift: list[Drift] = Field(default_factory=list)
    fails_half_made: list[str] = Field(default_factory=list)
    """Errors after which the thing is there, without its machines."""

    @field_validator("refers", mode="before")
    @classmethod
    def _short_references(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {path: {"type": to} if isinstance(to, str) else to for path, to in value.items()}


class Backing(Strict):
    """A cloud thing that a Kubernetes object brings about, of the kind that the cluster's cloud
    lists under `cloud_backed`."""

    thing: str
    when: dict[str, Any] = Field(default_factory=dict)
    """Paths of the object, and the values that they must have."""
    status: dict[str, Any] = Field(default_factory=dict)


class Kind(Strict):
    """The rules of one Kubernetes kind; absent fields are the generic ones."""

    cluster_scoped: bool = False
    seconds: Seconds = Seconds()
    replace: list[str] = Field(default_factory=list)
    backing: Backing | None = None
    status: dict[str, Any] = Field(default_factory=dict)
    drift: list[Drift] = Field(default_factory=list)


class Chart(Strict):
    """What a release of a chart brings along. `crds`: group -> {kind: Cluster | Namespaced}."""

    seconds: Seconds = Seconds(create=60, update=30, delete=20)
    crds: dict[str, dict[str, str]] = Field(default_factory=dict)
    keeps_crds: bool = False
    """Helm never deletes what is in a chart's crds/ folder."""
    objects: list[dict[str, Any]] = Field(default_factory=list)


class Package(Strict):
    """One provider package."""

    package: str
    distribution: str
    module: str
    default_region: str = ""
    region_input: str = "region"
    """Of the provider and of its resources; a resource's own wins."""
    default_tags_input: str = ""
    """Of the provider: a path to the tags that every resource gets."""
    tags_input: str = "tags"
    tags_output: str = "tags"
    """All tags of a resource, the provider's among them."""
    config_replaces: list[str] = Field(default_factory=list)
    """Inputs of the provider that make it another one."""
    facts: dict[str, str] = Field(default_factory=dict)
    """What the texts of errors can name beside {id}, {name}, {region}, {zone} and {inputs}."""
    constants: dict[str, Any] = Field(default_factory=dict)
    zones: dict[str, list[str]] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)
    """Rules for outputs that many types share."""
    errors: dict[str, ErrorText] = Field(default_factory=dict)
    instance_prices: dict[str, float] = Field(default_factory=dict)
    """Where the market's catalogue has no row."""
    types: dict[str, ResourceType] = Field(default_factory=dict)
    cloud_backed: dict[str, Made] = Field(default_factory=dict)
    invokes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    preload: list[str] = Field(default_factory=list)
    """Types that most programs use, where `types` does not say it."""
    kinds: dict[str, Kind] = Field(default_factory=dict)
    groups: list[str] = Field(default_factory=list)
    """API groups that every cluster serves."""
    namespaces: list[str] = Field(default_factory=list)
    charts: dict[str, Chart] = Field(default_factory=dict)

    @property
    def sdk_version(self) -> str | None:
        """The version of the SDK package that is installed; None where it is not."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None


def package_names() -> list[str]:
    """The packages that can be simulated."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def load_package(name: str, folder: Path = FOLDER) -> Package:
    """Reads `packages/NAME.yaml`. Raises InputError with the path of what is wrong."""
    path = folder / f"{name}.yaml"
    try:
        return Package.model_validate(yaml.load(path.read_text(), Loader=_Loader))
    except ValidationError as error:
        raise InputError(*problems(error), file=str(path)) from None


def load_packages() -> dict[str, Package]:
    """Every package whose SDK is installed: without it its inputs could not be checked."""
    packages = [load_package(name) for name in package_names()]
    return {package.package: package for package in packages if package.sdk_version}


def problems(error: ValidationError, prefix: str = "") -> list[Problem]:
    """Pydantic's errors with their paths as `a.0.b`."""
    return [
        Problem(".".join(str(step) for step in (*prefix.split(), *item["loc"])), item["msg"])
        for item in error.errors()
    ]


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

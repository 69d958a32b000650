"""Argument models of the components. Pure but for the `Input` type.

Plain sub-models are what `jobs` and `components` define; only what may be secret or not yet known
is an `Input`. No postponed annotations here: Pulumi's analyzer reads them as they stand.
"""

import typing
from collections.abc import Awaitable
from typing import Any, Optional, TypeVar, Union

import pulumi
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.layer_found import Found
from components.lease import Lease
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import InputError, Problem
from jobs.model import Strict
from jobs.spec import Job

__all__ = ["CodeArchive", "ColonyArgs", "TrainingJobArgs", "coerce"]

T = TypeVar("T")
Args = TypeVar("Args", bound=BaseModel)
Input = Union[T, Awaitable[T], pulumi.Output[T]]  # noqa: UP007  (a generic alias)
"""`pulumi.Input` without its forward reference, which pydantic cannot follow."""


class _Args(Strict):
    model_config = ConfigDict(arbitrary_types_allowed=True)


class CodeArchive(_Args):
    """A packed working directory."""

    sha256: str
    """Of the archive's bytes."""
    data: Input[str] = Field(repr=False)
    """The archive as base64."""


class ColonyArgs(_Args):
    """A colony: what is wanted, where it goes, and when it ends."""

    spec: ColonySpec
    placement: Placement
    lease: Lease
    prices: dict[str, Any] = Field(default_factory=dict)
    """The recorded prices, kept for the receipt."""
    code: dict[str, CodeArchive] = Field(default_factory=dict)
    """Job name -> its code."""
    secrets: Input[dict[str, dict[str, str]]] | None = Field(default=None, repr=False)
    """Job name -> variable -> value."""
    found: Found = Field(default_factory=Found)
    """Existing cluster -> layers that were there before, and what is done about them."""
    kubeconfigs: Input[dict[str, str]] | None = Field(default=None, repr=False)
    """Existing cluster -> kubeconfig, text or path; it wins over the spec's."""
    logins: Input[dict[str, str]] | None = Field(default=None, repr=False)
    """Layer -> password of its private chart repository."""
    ssh_keys: Input[dict[str, str]] | None = Field(default=None, repr=False)
    """Cluster on-prem -> private key of its hosts; absent = the ssh agent's."""


class TrainingJobArgs(_Args):
    """A job, and where it runs. The cluster is that of the given Kubernetes provider."""

    job: Job
    colony: str
    cluster: str
    cloud: str
    region: str = ""
    zone: str = ""
    instance_type: str = ""
    """Of the machines it runs on, where they are all of one."""
    namespace: str = "default"
    owner: str = "colony"
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, str]] = Field(default_factory=list)
    """Of taints that the cloud puts on the nodes; the GPU's own is tolerated anyway."""
    service_account: str | None = None
    """What its pods run as, where they copy outputs."""
    pod_labels: dict[str, str] = Field(default_factory=dict)
    """Of those pods: by which the cloud gives them their identity."""
    code: CodeArchive | None = None
    secrets: Input[dict[str, str]] | None = Field(default=None, repr=False)
    """Variable -> value, for the names in the job's `secrets`."""


def coerce(model: type[Args], args: Args | dict[str, Any]) -> Args:
    """The model as it is, or made of a plain dict. InputError with the path of each mistake."""
    if isinstance(args, model):
        return args
    try:
        return model.model_validate(_whole(args))
    except ValidationError as error:
        # The input is left out: it may hold a secret.
        raise InputError(
            *(
                Problem(".".join(str(part) for part in item["loc"]), item["msg"])
                for item in error.errors(include_input=False, include_url=False)
            )
        ) from None


def _whole(value: Any) -> Any:
    """Whole numbers reach a component of another language's program as floats."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _resolve(model: type[BaseModel]) -> None:
    """Show the analyzer types where a model's own file postponed its annotations, and what has
    a default as optional (a default alone says nothing to it)."""
    for name, field in model.model_fields.items():
        shown = field.annotation if field.is_required() else Optional[field.annotation]  # noqa: UP045
        model.__annotations__[name] = shown
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                _resolve(part)


def _parts(annotation: Any) -> list[Any]:
    inner = typing.get_args(annotation)
    return [part for arg in inner for part in _parts(arg)] if inner else [annotation]


for _model in (ColonyArgs, TrainingJobArgs):
    _resolve(_model)

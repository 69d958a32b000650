"""What is asked of the market: the same for every node of a job (or of one of its roles)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from jobs.accelerators import find
from jobs.errors import InputError, Problem
from jobs.frameworks import rules_of
from jobs.quantities import parse_accelerators, parse_cpus, parse_memory
from jobs.roles import members

if TYPE_CHECKING:
    from jobs.roles import Member
    from jobs.spec import Job, Resources

__all__ = [
    "Request", "candidates_of", "choices_of", "request_of", "requests_of", "split_accelerators",
]  # fmt: skip

DEFAULT_CPUS = "8+"
"""Of a job that names neither accelerators nor cpus nor a machine (as SkyPilot has it)."""

_T = TypeVar("_T")

_ANYWHERE = {"", "*", "kubernetes", "k8s"}
"""Clouds that constrain nothing: every colony is Kubernetes."""


@dataclass(frozen=True)
class Request:
    """Raises InputError for what no machine can be."""

    accelerator: str | None = None
    count: float = 0
    """Of one node, as asked; a fraction takes a whole GPU."""
    nodes: int = 1
    cpus: str | None = None
    memory: str | None = None
    """GiB."""
    cloud: str | None = None
    region: str | None = None
    zones: tuple[str, ...] = ()
    """Any of them; empty = anywhere."""
    instance_type: str | None = None
    use_spot: bool | None = False
    """None = whichever is cheaper."""
    max_price: float | None = None
    """USD per node-hour."""
    context: str | None = None
    """An existing cluster: nothing is bought."""
    hours: float = 1.0
    """Expected run time, for the money shown."""
    reserved: bool = False
    """Paid for already, used or not: its price need not be known, and none is counted."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "zones", tuple(self.zones))
        if (self.cloud or "").casefold() in _ANYWHERE:
            object.__setattr__(self, "cloud", None)
        elif self.cloud:
            object.__setattr__(self, "cloud", self.cloud.casefold())
        if self.accelerator and (found := find(self.accelerator)):
            object.__setattr__(self, "accelerator", found.name)
        problems = [Problem(path, message) for path, message in self._faults()]
        if problems:
            raise InputError(*problems)
        for path, parse in (("cpus", parse_cpus), ("memory", parse_memory)):
            if text := getattr(self, path):
                _checked(path, parse, text)

    def _faults(self) -> list[tuple[str, str]]:
        checks = {
            "nodes": (isinstance(self.nodes, int) and self.nodes >= 1, "a whole number from 1"),
            "accelerators": (
                math.isfinite(self.count) and (self.count > 0) == bool(self.accelerator),
                "NAME:COUNT with a count above 0",
            ),
            "max_price": (self.max_price is None or self.max_price > 0, "above 0"),
            "hours": (math.isfinite(self.hours) and self.hours >= 0, "0 or more"),
        }
        return [(path, f"must be {rule}") for path, (ok, rule) in checks.items() if not ok]

    @property
    def gpus(self) -> int:
        """Whole GPUs a node."""
        return math.ceil(self.count)

    @property
    def needed_cpus(self) -> str | None:
        unsaid = not (self.accelerator or self.cpus or self.memory or self.instance_type)
        return DEFAULT_CPUS if unsaid else self.cpus

    @property
    def what(self) -> str:
        """In words, for messages: `8 x H100`, `p5.48xlarge`, `8+ vCPUs`."""
        if self.accelerator:
            return f"{self.gpus} x {self.accelerator}"
        return self.instance_type or f"{self.needed_cpus or 'any number of'} vCPUs"

    def to_dict(self) -> dict[str, Any]:
        """Named as in an offer."""
        shown = {**asdict(self), "zones": list(self.zones)}
        return {"accelerators": shown.pop("accelerator"), **shown}


def candidates_of(job: Job) -> list[Job]:
    """The same job on each of its candidates, the first to be preferred; itself without any."""
    return [
        job.model_copy(update={"resources": need, "alternatives": []})
        for need in (job.resources, *job.alternatives)
    ]


def choices_of(job: Job) -> list[list[Request]]:
    """What `requests_of` says of each candidate, in the job's order.

    With `job.preference` any, the cheapest is meant; ordered, the first that can be had.
    """
    return [requests_of(candidate) for candidate in candidates_of(job)]


def request_of(job: Job) -> Request:
    """The request of a job; of one with several roles, the one for the most accelerators."""
    requests = requests_of(job)
    return max(requests, key=lambda request: request.nodes * request.gpus)


def requests_of(job: Job) -> list[Request]:
    """One request for each kind of node; roles that need the same kind are added together.

    An elastic role is bought at its `max`: what may be grown into is there, and is paid for.
    Launchers, schedulers and the like that ask for nothing of their own run beside the others.
    Of a job with alternatives, the first candidate alone is asked for.
    Raises InputError for a job that does not fit together.
    """
    kinds: dict[Request, int] = {}
    for role in _buying(members(job), job):
        kind = _request(role.resources, 1, job)
        pods = job.elastic.max if job.elastic and role.elastic else role.replicas
        kinds[kind] = kinds.get(kind, 0) + pods
    return [Request(**{**vars(kind), "nodes": nodes}) for kind, nodes in kinds.items()]


def _buying(roles: list[Member], job: Job) -> list[Member]:
    """The roles that need nodes."""
    light = rules_of(job.framework).light
    heavy = [role for role in roles if role.name not in light or _asks(role.resources)]
    return heavy or roles


def _asks(need: Resources) -> bool:
    return any((need.accelerators, need.cpus, need.memory, need.instance_type))


def _request(need: Resources, nodes: int, job: Job) -> Request:
    name, count = split_accelerators(need.accelerators)
    return Request(
        accelerator=name,
        count=count,
        nodes=nodes,
        cpus=need.cpus,
        memory=need.memory,
        cloud=need.cloud,
        region=need.region,
        zones=(need.zone,) if need.zone else (),
        instance_type=need.instance_type,
        use_spot=need.use_spot,
        max_price=need.max_price,
        context=need.context,
        hours=job.expected_run_time / 3600,
    )


def split_accelerators(text: str | None) -> tuple[str | None, float]:
    """(canonical name, count a node); (None, 0) for none. Raises InputError."""
    return _checked("accelerators", parse_accelerators, text) if text else (None, 0)


def _checked(path: str, parse: Callable[[object], _T], text: str) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise InputError(Problem(path, str(error))) from error

"""What is wanted, what was decided and what is seen of one elastic job. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "DRAINING", "IN", "OUT", "SCRIPT", "STARTING", "UNDOING", "Action", "CreatePod", "DeleteAll",
    "DeleteObject", "DeletePod", "Departure", "Launcher", "Nudge", "Outcome", "Plan", "Pod",
    "Request", "Scaling", "Seen", "Spec", "State", "Workload", "index_of",
]  # fmt: skip

OUT, IN = "out", "in"
STARTING, SCRIPT, DRAINING, UNDOING = "starting", "script", "draining", "undoing"
"""Stages of a scaling: new pods start; the hook runs; old ones leave; new ones are taken back."""


@dataclass(frozen=True)
class Spec:
    """What the job wants; never changes while it runs. From the ConfigMap `<job>-elastic-spec`."""

    job: str
    role: str
    min: int
    max: int
    start: int
    slots: int
    restart: str
    """Never, OnFailure, Always or ExitCode."""
    timeout: int
    """Seconds a scaling may take where the request does not say."""
    grow: bool
    clean_up: str
    """None, Running or All."""
    launcher: str
    """The role that reads the hosts; empty = nobody does."""
    workload: dict[str, str]
    """`path` of its API below the server's root, up to the namespace, and `resource`, `name`."""
    template: dict[str, Any]
    """Metadata and spec of a worker's pod."""
    remove: list[dict[str, str]] = field(default_factory=list)
    """Services and Secrets (`resource`, `name`) that go when the job has ended."""

    def name(self, index: int) -> str:
        """Of a worker's pod."""
        return f"{self.job}-{self.role}-{index}"

    def host(self, pod: str) -> str:
        """The DNS name of a worker."""
        return f"{pod}.{self.job}"


@dataclass(frozen=True)
class Request:
    """A scaling that somebody asked for: by count or by names."""

    id: str
    kind: str
    count: int | None = None
    names: list[str] | None = None
    timeout: int | None = None
    script: str = ""
    """A command line or a script, run where the launcher runs, told of the workers."""
    env: dict[str, str] = field(default_factory=dict)


@dataclass
class Scaling:
    """The one scaling under way."""

    request: Request
    stage: str
    names: list[str]
    deadline: float
    reason: str = ""
    """Why it is taken back, or what is to be said of it."""
    generation: int = 0
    """What the launcher has to acknowledge for it."""


@dataclass(frozen=True)
class Outcome:
    """How a request ended: done, failed (and taken back) or refused (nothing was changed)."""

    id: str
    kind: str
    outcome: str
    message: str
    names: list[str]
    at: float


@dataclass(frozen=True)
class Departure:
    """A worker told to go: it is deleted when the launcher has let go, or at `deadline`."""

    generation: int
    deadline: float
    reason: str


@dataclass
class State:
    """What was decided. The whole of it is in the ConfigMap `<job>-elastic`."""

    target: list[str] = field(default_factory=list)
    """The workers there should be."""
    seen: list[str] = field(default_factory=list)
    """Those whose pod was there: what is missing of these has died, and is not made again."""
    hosts: list[str] = field(default_factory=list)
    """The workers that the launcher is told of: all of them run."""
    departing: dict[str, Departure] = field(default_factory=dict)
    high_water: int = 0
    """The next index."""
    wanted: int = 0
    """How many somebody asked for."""
    owed: int = 0
    """Replacements that are still to be made."""
    succeeded: int = 0
    """Workers that ended well: the job does not miss them, unless it begins anew."""
    launcher: str = ""
    """The pod that was last seen to be it."""
    failures: int = 0
    """One after the other, each soon after its start."""
    retry_at: float = 0.0
    grow_at: float = 0.0
    generation: int = 0
    """Of what the launcher has to take notice of: who is leaving, and the hook."""
    acknowledged: int = 0
    """The generation that the launcher has dealt with."""
    ready_since: str = ""
    """The launcher's `mark` as of this generation."""
    announced_at: float = 0.0
    """When hosts or generation changed."""
    phase: str = "Running"
    """Running, Suspended or Finished."""
    message: str = ""
    requests: list[Request] = field(default_factory=list)
    scaling: Scaling | None = None
    history: list[Outcome] = field(default_factory=list)


@dataclass(frozen=True)
class Pod:
    """A worker's pod, as it is seen."""

    name: str
    phase: str
    ready: bool = True
    terminating: bool = False
    exit_code: int | None = None
    """None where no container ended: it was evicted, or its node was lost."""
    node: str = ""
    disrupted: bool = False
    """Kubernetes has said that it will be taken away."""
    started: float = 0.0
    why: str = ""
    """Why it does not run, in Kubernetes' words."""

    @property
    def running(self) -> bool:
        return self.phase == "Running" and self.ready and not self.terminating

    @property
    def ended(self) -> bool:
        return self.phase in ("Failed", "Succeeded")

    @property
    def alive(self) -> bool:
        return not self.ended and not self.terminating


@dataclass(frozen=True)
class Launcher:
    """The pod that reads the hosts."""

    name: str
    running: bool
    ready_since: str = ""
    """When it became ready; empty while it is not."""
    nudge: str = ""
    """The annotation that makes its node look at the ConfigMap again."""

    @property
    def mark(self) -> str:
        """Tells one readiness from the next; empty while there is none."""
        return f"{self.name}@{self.ready_since}" if self.ready_since else ""


@dataclass(frozen=True)
class Workload:
    """What the rest of the job is."""

    exists: bool = True
    suspended: bool = False
    finished: bool = False


@dataclass(frozen=True)
class Seen:
    """Everything that is seen at one moment."""

    now: float
    pods: dict[str, Pod] = field(default_factory=dict)
    launcher: Launcher | None = None
    workload: Workload = field(default_factory=Workload)
    leaving_nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CreatePod:
    """Makes a worker; there already is fine."""

    name: str
    index: int


@dataclass(frozen=True)
class DeletePod:
    """Gone already is fine."""

    name: str


@dataclass(frozen=True)
class Nudge:
    """Sets the launcher's annotation."""

    pod: str
    value: str


@dataclass(frozen=True)
class DeleteObject:
    """A Service or a Secret of the job."""

    resource: str
    name: str


@dataclass(frozen=True)
class DeleteAll:
    """The state itself: the very last."""


Action = CreatePod | DeletePod | Nudge | DeleteObject | DeleteAll


@dataclass(frozen=True)
class Plan:
    """The new state (None = nothing is decided yet), to be written before the actions are done."""

    state: State | None
    actions: list[Action] = field(default_factory=list)


def index_of(name: str) -> int:
    """The number at the end of a worker's name."""
    return int(name.rsplit("-", 1)[-1])

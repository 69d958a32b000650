"""Where colonies live: the real clouds, or a simulated world. The lifecycle knows only this.

The two differ in the clock (a world's is virtual), in what stands at the far end, and in
nothing else: the engine, the program and the records are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from colony.records import Records

if TYPE_CHECKING:
    from colony.engine import Engine
    from colony.storage.base import Storage
    from components.placement import Placement
    from components.spec import ColonySpec

__all__ = [
    "ClusterAccess",
    "Ground",
    "LiveCluster",
    "Span",
    "State",
    "Tell",
    "Thing",
    "deployment_of",
    "host_spans",
    "made_by",
    "records_of",
    "state_of",
]


@dataclass(frozen=True)
class Thing:
    """One tagged thing, as the cloud's own inventory lists it."""

    id: str
    type: str
    tags: Mapping[str, str] = field(default_factory=dict)
    usd_per_hour: float | None = None
    """None where the inventory does not say."""
    urn: str = ""
    created: float = 0.0
    going: bool = False
    """It is being deleted: nothing more can be done than to wait."""
    stage: int = 0
    """Of a sweep: it is deleted when nothing of an earlier stage is left."""
    idle: bool = False
    """A cluster's controllers left it: nobody uses it, it holds no data, and it holds up others."""

    @property
    def costs(self) -> bool:
        """Whether it is paid for, as far as the inventory says."""
        return self.usd_per_hour is None or self.usd_per_hour > 0

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "type": self.type, "usd_per_hour": self.usd_per_hour}


@dataclass(frozen=True)
class Span:
    """A billed interval in seconds since the run began."""

    id: str
    type: str
    urn: str
    usd_per_hour: float
    start: float
    end: float
    nodes: float = 0
    """How many machines it is."""


def host_spans(placement: Placement | None, end: float) -> list[Span]:
    """The user's own machines are in no cloud's books: at the file's price, from the start on."""
    return [
        Span(f"{cluster.name}/{pool.name}", "host", "", price, 0.0, end, pool.nodes)
        for cluster in (placement.clusters if placement else [])
        for pool in cluster.pools
        if cluster.cloud == "onprem" and (price := pool.nodes * pool.price_per_node_hour)
    ]


@dataclass(frozen=True)
class LiveCluster:
    """A cluster that the state knows: how to reach it, and whether it is ours to end."""

    name: str
    cloud: str
    identifier: str
    kubeconfig: str
    ours: bool


class ClusterAccess(Protocol):
    """The Kubernetes API, as far as watching and draining need it."""

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """Objects of a kind (`Kind` or `Kind.group`), in one namespace or all."""

    def removable(self, kind: str) -> list[dict[str, Any]]:
        """Those objects of a kind, in all namespaces, that a drain may delete."""

    def put(self, obj: dict[str, Any]) -> None:
        """Makes an object, or changes it to this."""

    def annotate(self, kind: str, namespace: str, name: str, marks: Mapping[str, str]) -> None:
        """Adds annotations; gone already is fine."""

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Asks for the deletion; gone already is fine."""

    def evict(self, namespace: str, name: str) -> None:
        """Asks a pod to end because of where it is; gone already is fine. Raises ColonyError where
        a disruption budget forbids it."""

    def restart(self, manifest: dict[str, Any]) -> None:
        """Deletes this object with all that it owns, and makes it anew, without what webhooks and
        controllers have written into it since. Raises ColonyError."""

    def free(self, kind: str, namespace: str, name: str) -> None:
        """Takes all finalizers off."""

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        """Copies every rank's log to `folder`."""


class Ground(Protocol):
    """One place to live in."""

    name: str
    simulated: bool
    local: bool
    """Nothing but this machine could end what lives here."""
    installs: bool
    """Releases are really carried out in clusters, not only recorded."""
    parallel: int
    """How many operations, and ends of colonies, there may be at once; 1 = all in turn."""
    storage: Storage
    """The backend's own: state, locks and records are there."""
    timing: dict[str, dict[str, Any]]
    """Why `up` and `destroy` took what they took (`colony.rehearsal.critical`); on real clouds
    nothing is known of that."""

    def arguments(self) -> list[str]:
        """By which another process of this program opens the same ground."""

    @property
    def engine(self) -> Engine: ...

    def kubeconfig(self, given: str) -> str:
        """By which an existing cluster can be asked what it has; empty = there is nobody to ask."""

    def now(self) -> float:
        """Unix seconds; virtual in a world."""

    def wait(self, seconds: float, until: float | None = None) -> None:
        """Lets time pass; a world's may jump to the next thing in it, never beyond `until`."""

    def announce(self, runner: Mapping[str, Any]) -> None:
        """Says which process runs a colony; a world's crash faults kill that one."""

    def settle_up(
        self, deployment: Mapping[str, Any], since: float, before: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """After an `up`: lets its time pass; returns its events (`at` is seconds of the run).
        What only the state `before` has was deleted by it."""

    def settle_destroy(self, before: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        """After a `destroy`: the same, from the state that was there before."""

    def start_jobs(
        self, spec: ColonySpec, placement: Placement, clusters: list[LiveCluster]
    ) -> None:
        """The jobs' objects exist now; a world begins to move those that it does not move yet."""

    def stop_jobs(self, at_once: bool = False, cluster: str = "") -> None:
        """The run is over, or only `cluster` (by identifier) is left: nothing of a job may go on
        there, not even for its grace if `at_once`."""

    def cluster(self, cluster: LiveCluster) -> ClusterAccess: ...

    def nodes(self, cluster: LiveCluster) -> list[dict[str, Any]] | None:
        """Its Node objects; None where nobody simulates machines for it."""

    def inventory(self, stack: str, clusters: list[str]) -> list[Thing]:
        """By tag `colony-stack`, and by the tags that clusters of these names put on what they
        make."""

    def delete(self, thing: Thing) -> None:
        """The cloud's own delete. Raises ColonyError while something blocks it."""

    def spans(self, stack: str, placement: Placement | None, since: float) -> list[Span]:
        """What was billed, for the receipt, at the recorded price."""

    def charge(self, stack: str, spans: list[Span], since: float) -> None:
        """Books what was billed since the last time, where somebody keeps books."""


class Tell(Protocol):
    """Says what happens, one line at a time."""

    def __call__(self, text: str, at: float | None = None) -> None:
        """`at` is the run's second it happened at, where that is not now."""


State = Callable[[], dict[str, Any]]
"""A stack's deployment, its secrets open; read when it is asked for the first time."""


def deployment_of(ground: Ground, stack: str) -> dict[str, Any]:
    """The stack's state as it is now; a world's secrets are nobody's, and stay shut."""
    return ground.engine.export(stack, secrets=not ground.simulated)


def state_of(ground: Ground, stack: str) -> State:
    return cache(lambda: deployment_of(ground, stack))


def records_of(ground: Ground, stack: str) -> Records:
    return Records(ground.storage, stack)


def made_by(tags: Mapping[str, str], clusters: Iterable[str]) -> bool:
    """Whether the controllers of one of these clusters made it: AWS marks that in a tag's name, its
    network plug-in and Google in a value."""
    marks = ("goog-k8s-cluster-name", "cluster.k8s.amazonaws.com/name")
    return any(
        f"kubernetes.io/cluster/{name}" in tags or name in [tags.get(mark) for mark in marks]
        for name in clusters
    )

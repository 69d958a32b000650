"""Where colonies live: the real clouds, or a simulated world. The lifecycle knows only this.

The two differ in the clock (a world's is virtual), in what stands at the far end, and in
nothing else: the engine, the program and the records are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from colony.records import Records

if TYPE_CHECKING:
    from colony.engine import Engine
    from components.placement import Placement
    from components.spec import ColonySpec

__all__ = ["ClusterAccess", "Ground", "LiveCluster", "Span", "Tell", "Thing", "records_of"]


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

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Asks for the deletion; gone already is fine."""

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        """Copies every rank's log to `folder`."""


class Ground(Protocol):
    """One place to live in."""

    name: str
    simulated: bool
    local: bool
    """Nothing but this machine could end what lives here."""
    root: Path
    """The file backend's root: state and records."""

    @property
    def engine(self) -> Engine: ...

    def kubeconfig(self, given: str) -> str:
        """By which an existing cluster can be asked what it has; empty = there is nobody to ask."""

    def now(self) -> float:
        """Unix seconds; virtual in a world."""

    def wait(self, seconds: float) -> None:
        """Lets time pass."""

    def announce(self, runner: Mapping[str, Any]) -> None:
        """Says which process runs a colony; a world's crash faults kill that one."""

    def settle_up(self, deployment: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        """After an `up`: lets its time pass; returns its events (`at` is seconds of the run)."""

    def settle_destroy(self, before: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        """After a `destroy`: the same, from the state that was there before."""

    def start_jobs(self, spec: ColonySpec, clusters: list[LiveCluster]) -> None:
        """The jobs' objects exist now; a world begins to move them."""

    def stop_jobs(self) -> None:
        """The run is over: nothing of a job may go on."""

    def cluster(self, cluster: LiveCluster) -> ClusterAccess: ...

    def inventory(self, stack: str, clusters: list[str]) -> list[Thing]:
        """By tag `colony-stack`, and by the tags that clusters of these names put on what they
        make."""

    def delete(self, thing: Thing) -> None:
        """The cloud's own delete. Raises ColonyError while something blocks it."""

    def spans(self, placement: Placement | None, since: float) -> list[Span]:
        """What was billed, for the receipt, at the recorded price."""

    def charge(self, spans: list[Span], since: float) -> None:
        """Books the receipt, where somebody keeps books."""


class Tell(Protocol):
    """Says what happens, one line at a time."""

    def __call__(self, text: str, at: float | None = None) -> None:
        """`at` is the run's second it happened at, where that is not now."""


def records_of(ground: Ground, stack: str) -> Records:
    return Records(ground.root, stack)

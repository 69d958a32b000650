"""A simulated world as ground: the same engine and program, another far end, virtual time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.lifecycle.ground import ClusterAccess, LiveCluster, Span, Thing
from colony.lifecycle.kube import Kube
from colony.lifecycle.pause import asleep
from colony.lifecycle.state import resources
from colony.rehearsal.jobs import SimulatedJob, manifests_of, workloads_of
from colony.rehearsal.link import Refused
from colony.rehearsal.marks import MARK, mark_of
from components.quota import namespace_of

if TYPE_CHECKING:
    from colony.engine import Engine
    from colony.rehearsal.world import World
    from components.placement import Placement
    from components.spec import ColonySpec
    from jobs.spec import Job

__all__ = ["Simulated"]


class Simulated:
    """Enter it to have the world's server running. Its environment replaces the process's own:
    nothing of a rehearsal may reach a real cloud."""

    name = "a simulated world"
    simulated = True
    local = True

    def __init__(
        self,
        world: World,
        *,
        execute: bool = False,
        echo: Callable[[str], None] = print,
    ) -> None:
        self.world = world
        self.root = Path(world.dir, "state")
        self.execute = execute
        self._echo = echo
        self._jobs: list[SimulatedJob] = []
        self.real = world.kubernetes
        """Where its clusters' objects are, if not in the world itself."""
        self._starts: dict[str, float] = {}
        self._ends: dict[str, float] = {}

    def __enter__(self) -> Simulated:
        from colony.setup import ready_cli

        self._cli = ready_cli()
        self.world.start()
        self._outside = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.world.environment())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_jobs()
        self.world.stop()
        os.environ.clear()
        os.environ.update(self._outside)

    @cached_property
    def engine(self) -> Engine:
        from colony.engine import Engine

        return Engine(
            Path(self.world.dir, "project"),
            f"file://{self.root}",
            self.world.environment(),
            self._cli,
            parallel=self.world.parallel,
            closed=True,
        )

    def kubeconfig(self, given: str) -> str:
        """A world of its own has no nodes to look at."""
        return self.real.kubeconfig() if self.real else ""

    def now(self) -> float:
        return self.world.now()

    def wait(self, seconds: float) -> None:
        """Lets the world's time pass, at least to the next thing that happens in it.

        A job that is really run is waited for: its time has passed when it has ended. Real
        controllers are waited for in real time, which the world's clock then follows.
        """
        if self.real:
            asleep(seconds)
            self.world.advance(seconds)
            return
        now = self.world.now()
        change = min((job.next_change() for job in self._jobs), default=now)
        if any(job.busy for job in self._jobs) and change > now:
            time.sleep(0.05)
            return
        if change == float("inf"):
            change = now
        self.world.advance(max(seconds, change - now))
        for job in self._jobs:
            job.tick(self.world.now())

    def announce(self, runner: Mapping[str, Any]) -> None:
        self.world.announce(int(runner["pid"]))

    def settle_up(self, deployment: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        from colony.rehearsal.timeline import up_timeline

        took = {u: s for (u, op), s in self.world.durations().items() if op != "delete"}
        base = self.world.now()
        spans = up_timeline(resources(deployment), took)
        self._starts |= {urn: base + start for urn, (start, _) in spans.items()}
        self.world.advance(max((end for _, end in spans.values()), default=0.0))
        return [_event(base - since + end, "created", urn) for urn, (_, end) in spans.items()]

    def settle_destroy(self, before: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        from colony.rehearsal.timeline import destroy_timeline

        took = {u: s for (u, op), s in self.world.durations().items() if op == "delete"}
        base = self.world.now()
        gone = destroy_timeline(resources(before), took)
        self._ends |= {urn: base + end for urn, (_, end) in gone.items()}
        self.world.advance(max((end for _, end in gone.values()), default=0.0))
        return [_event(base - since + end, "deleted", urn) for urn, (_, end) in gone.items()]

    def start_jobs(self, spec: ColonySpec, clusters: list[LiveCluster]) -> None:
        """A real API server has controllers of its own."""
        if self.real:
            return
        for job in spec.jobs:
            namespace = namespace_of(job, spec)
            cluster = self._cluster_of(job.name, namespace, clusters)
            start = self._runner(job, namespace, cluster) if self.execute else None
            self._jobs.append(
                SimulatedJob(self.world, cluster, job.name, namespace, self.now(), start)
            )
        for simulated in self._jobs:
            simulated.tick(self.now())

    def stop_jobs(self) -> None:
        for job in self._jobs:
            job.stop()
        self._jobs.clear()

    def cluster(self, cluster: LiveCluster) -> ClusterAccess:
        if self.real is None:
            return _Access(self.world, cluster.identifier)
        selector = f"{MARK}={mark_of(self.real.mark, cluster.identifier)}"
        kube = Kube(self.real.kubeconfig(), selector=selector)
        return _RealAccess(self.world, cluster.identifier, kube)

    def inventory(self, stack: str, clusters: list[str]) -> list[Thing]:
        found = []
        for thing in self.world.inventory(everything=True):
            tags = thing["tags"]
            controllers = any(f"kubernetes.io/cluster/{name}" in tags for name in clusters)
            if tags.get("colony-stack") == stack or controllers:
                keys = ("id", "type", "tags", "usd_per_hour", "urn", "created")
                found.append(Thing(**{k: thing[k] for k in keys if thing.get(k) is not None}))
        return found

    def delete(self, thing: Thing) -> None:
        self.world.delete(thing.id)

    def spans(self, placement: Placement | None, since: float) -> list[Span]:
        """From the ledger: what the cloud billed, whatever the plan said."""
        spans = []
        for line in _lives(Path(self.world.dir)):
            urn, deleted = line.get("urn") or "", line["deleted"]
            start = self._starts.get(urn, line["created"])
            end = self.now() if deleted is None else self._ends.get(urn, deleted)
            price = line["usd_per_hour"]
            spans.append(Span(line["id"], line["type"], urn, price, start - since, end - since))
        return spans

    def charge(self, spans: list[Span], since: float) -> None:
        self.world.charge(
            [
                {"id": s.id, "type": s.type, "urn": s.urn, "from": since + s.start,
                 "to": since + s.end, "usd_per_hour": s.usd_per_hour}
                for s in spans
            ]
        )  # fmt: skip

    def _cluster_of(self, job: str, namespace: str, clusters: list[LiveCluster]) -> str:
        for cluster in clusters:
            if workloads_of(self.world, cluster.identifier, namespace, job):
                return cluster.identifier
        return clusters[0].identifier

    def _runner(self, job: Job, namespace: str, cluster: str) -> Callable[[dict[str, Any]], Any]:
        from colony.rehearsal.background import Background

        folder = Path(self.world.dir)

        def begin(workload: dict[str, Any]) -> Background:
            secrets = self.world.objects(cluster, "Secret", namespace)
            manifests = manifests_of(self.world, cluster, namespace, job.name)
            scratch, logs = folder / "work" / job.name, folder / "logs" / job.name
            buckets = folder / "buckets"
            return Background(manifests, secrets, scratch, logs, buckets, self._echo, job)

        return begin


def _lives(folder: Path) -> list[dict[str, Any]]:
    """One entry for everything billable that ever was: when it came, and when it went."""
    from colony.rehearsal.ledger import LEDGER, read_lines

    lives: dict[tuple[str, str], dict[str, Any]] = {}
    for line in read_lines(folder / LEDGER):
        key = (line["type"], line["id"])
        if line["op"] == "create":
            lives.setdefault(key, {**line, "created": line["at"], "deleted": None})
        elif line["op"] == "delete" and key in lives:
            lives[key]["deleted"] = line["at"]
    return [lives[key] for key in sorted(lives)]


class _Access:
    """The Kubernetes API of a simulated cluster."""

    def __init__(self, world: World, cluster: str) -> None:
        self._world = world
        self._cluster = cluster

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return self._world.objects(self._cluster, kind, namespace)

    def removable(self, kind: str) -> list[dict[str, Any]]:
        return self.objects(kind)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self._world.delete_object(self._cluster, kind, namespace, name)

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        source = Path(self._world.dir, "logs", job)
        if not source.is_dir():
            return []
        shutil.copytree(source, folder, dirs_exist_ok=True)
        return sorted(folder.glob("*.log"))


class _RealAccess:
    """The real API behind a simulated cluster; deletes go through the world, whose cloud takes
    away what the object had brought about there."""

    def __init__(self, world: World, cluster: str, kube: Kube) -> None:
        self._world, self._cluster, self._kube = world, cluster, kube

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return self._kube.objects(kind, namespace)

    def removable(self, kind: str) -> list[dict[str, Any]]:
        return self._kube.removable(kind)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        try:
            self._world.delete_object(self._cluster, kind, namespace, name)
        except Refused as refused:
            if refused.code != "NotFound":  # its controller was faster
                raise

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        return self._kube.keep_logs(job, folder, namespace)


def _event(at: float, what: str, urn: str) -> dict[str, Any]:
    return {"at": round(at, 3), "what": what, "urn": urn}

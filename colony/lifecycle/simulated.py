"""A simulated world as ground: the same engine and program, another far end, virtual time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.lifecycle.ground import ClusterAccess, LiveCluster, Span, Thing, host_spans, made_by
from colony.lifecycle.kube import Kube
from colony.lifecycle.pause import asleep
from colony.lifecycle.refused import pool_at
from colony.lifecycle.simulated_access import RealAccess, WorldAccess
from colony.lifecycle.state import resources
from colony.lifecycle.takings import Takings
from colony.rehearsal.jobs import (
    PULL,
    SimulatedJob,
    manifests_of,
    pulled_ahead,
    workloads_of,
)
from colony.rehearsal.marks import MARK, mark_of
from colony.storage.folder import Folder
from colony.storage.opening import credentials_of, open_backend
from components.clusters.nodes import POOL_LABEL
from components.quota import namespace_of
from jobs.recovery import Recovery, Work

if TYPE_CHECKING:
    from colony.engine import Engine
    from colony.rehearsal.world import World
    from colony.storage.base import Storage
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
        backend: str = "",
    ) -> None:
        """`backend`: states and records are there, and not in the world's folder; its credentials
        are the only ones that come in."""
        self.world = world
        self._access = credentials_of(backend, dict(os.environ))
        self._backend = backend
        self.storage: Storage = (
            open_backend(backend) if backend else Folder(Path(world.dir, "state"))
        )
        self.parallel = world.parallel
        self.execute = execute
        self._echo = echo
        self._jobs: dict[str, SimulatedJob] = {}
        self._where: dict[str, str] = {}
        """Job -> cluster of the placement."""
        self._work: dict[str, Work] = {}
        self._takings: Takings | None = None
        self._unseen = False
        """Whether a job has begun since time has passed."""
        self._printed = 0.0
        """Seconds that have passed as the ranks' lines say, and were not waited for yet."""
        self.real = world.kubernetes
        self.installs = bool(self.real and self.real.helm)
        """Where its clusters' objects are, if not in the world itself."""
        self.timing: dict[str, dict[str, Any]] = {}
        self._starts: dict[_Key, float] = {}
        self._ends: dict[_Key, float] = {}
        self._came: dict[str, float] = {}
        """URN -> when what was made last under it was there."""
        self._settled: set[_Key] = set()
        """What earlier commands made in this world: their `up` has taken its time."""
        self._heard = 0
        """Of the world's operations: those that the time of an `up` was computed from."""

    def __enter__(self) -> Simulated:
        from colony.setup import ready_cli

        self._cli = ready_cli()
        self.world.start(meanwhile=_import_program)
        before = self.world.operations()
        self._heard, self._settled = len(before), _made_before(before, self.world.now())
        self._outside = dict(os.environ)
        os.environ.clear()
        os.environ.update(self._environment())
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
            self.storage.url,
            self._environment(),
            self._cli,
            parallel=self.world.parallel,
            closed=True,
        )

    def arguments(self) -> list[str]:
        named = ["--backend", self._backend] if self._backend else []
        return ["--world", str(self.world.dir), *named]

    def _environment(self) -> dict[str, str]:
        return {
            **self.world.environment(), **self._access, "PULUMI_BACKEND_URL": self.storage.url,
        }  # fmt: skip

    def kubeconfig(self, given: str) -> str:
        """A world of its own has no nodes to look at."""
        return self.real.kubeconfig() if self.real else ""

    def now(self) -> float:
        return self.world.now()

    def wait(self, seconds: float, until: float | None = None) -> None:
        """Lets the world's time pass, at least to the next thing that happens in it, or `until`.

        A job that is really run is waited for: its time has passed when it has ended. Real
        controllers are waited for in real time, which the world's clock then follows.
        """
        if self.real:
            asleep(seconds)
            self.world.advance(seconds)
            return
        now = self.world.now()
        if self._begun(now):
            self._unseen = False
            return  # to be seen before time passes
        change = min((job.next_change() for job in self._jobs.values()), default=now)
        if self._takings:
            change = min(change, self._takings.next_change())
        if any(job.busy for job in self._jobs.values()) and change > now:
            if not self._printed:
                time.sleep(0.05)
                return
            seconds, change, self._printed = self._printed, now, 0.0
        if change == float("inf"):
            change = now
        passing = max(seconds, change - now)
        if until is not None:
            passing = max(0.0, min(passing, until - now))
        self._tick(self.world.advance(passing))

    def _begun(self, now: float) -> bool:
        """Whether something has begun to run that nobody has asked about yet."""
        before = [job.stage for job in self._jobs.values()]
        for job in self._jobs.values():
            job.tick(now)
        after = [job.stage for job in self._jobs.values()]
        return self._unseen or (before != after and "running" in after)

    def _tick(self, now: float) -> None:
        """Jobs that were made anew begin before machines are taken, and others end before."""
        for job in self._jobs.values():
            job.tick(min(now, self._takings.next_change()) if self._takings else now)
        if self._takings:
            jobs: dict[str, list[SimulatedJob]] = {}
            for name, job in self._jobs.items():
                jobs.setdefault(self._where[name], []).append(job)
            self._takings.tick(now, jobs)
        for job in self._jobs.values():
            job.tick(now)

    def announce(self, runner: Mapping[str, Any]) -> None:
        self.world.announce(int(runner["pid"]))

    def settle_up(
        self, deployment: Mapping[str, Any], since: float, before: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """What was there before takes no time again."""
        from colony.rehearsal.critical import up_report
        from colony.rehearsal.timeline import up_timeline

        asked = self._asked()
        took = {u: s for (u, op), s in self.world.durations().items() if op != "delete"}
        keys = {each["urn"]: _key(each) for each in resources(deployment)}
        known = self._settled | self._starts.keys()
        new = {u for u, key in keys.items() if key not in known or key in self._ends}
        base = self.world.now()
        spans = up_timeline(resources(deployment), {u: s for u, s in took.items() if u in new})
        for urn in new & spans.keys():
            self._starts[keys[urn]], self._came[urn] = (base + each for each in spans[urn])
            self._ends.pop(keys[urn], None)
        end = max((end for _, end in spans.values()), default=0.0)
        self.world.advance(end + _in_vain(asked, keys))
        report = up_report(resources(deployment), spans, self.world.now() - base)
        # One of a node that is added, or of a job that joins, is the shorter one.
        if report["seconds"] >= self.timing.get("up", report)["seconds"]:
            self.timing["up"] = report
        events = [_event(base - since + spans[u][1], "created", u) for u in spans if u in new]
        dropped = [each for each in resources(before or {}) if each["urn"] not in keys]
        return events + self._settle_dropped(dropped, asked, since)

    def _settle_dropped(
        self, dropped: list[dict[str, Any]], asked: list[dict[str, Any]], since: float
    ) -> list[dict[str, Any]]:
        """What the program no longer has goes when all else of an `up` is done."""
        from colony.rehearsal.timeline import destroy_timeline, paid_until

        took = {e["urn"]: float(e["seconds"]) for e in asked if e["op"] == "delete"}
        base, gone = self.world.now(), destroy_timeline(dropped, took)
        keys = {each["urn"]: _key(each) for each in dropped}
        ends = paid_until(dropped, gone)
        self._ends |= {keys[urn]: base + end for urn, end in ends.items()}
        self.world.advance(max((end for _, end in gone.values()), default=0.0))
        return [_event(base - since + end, "deleted", urn) for urn, (_, end) in gone.items()]

    def settle_destroy(self, before: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        from colony.rehearsal.critical import destroy_report
        from colony.rehearsal.timeline import destroy_timeline, paid_until

        took = {u: s for (u, op), s in self.world.durations().items() if op == "delete"}
        base = self.world.now()
        gone = destroy_timeline(resources(before), took)
        keys = {each["urn"]: _key(each) for each in resources(before)}
        ends = paid_until(resources(before), gone)
        self._ends |= {keys[urn]: base + end for urn, end in ends.items()}
        self.world.advance(max((end for _, end in gone.values()), default=0.0))
        report = destroy_report(resources(before), gone, self.world.now() - base)
        # A destroy that is tried again, or of one refused attempt, is the shorter one.
        if report["seconds"] >= self.timing.get("destroy", report)["seconds"]:
            self.timing["destroy"] = report
        return [_event(base - since + end, "deleted", urn) for urn, (_, end) in gone.items()]

    def start_jobs(
        self, spec: ColonySpec, placement: Placement, clusters: list[LiveCluster]
    ) -> None:
        """A real API server has controllers of its own."""
        if self.real:
            return
        takings = Takings.of(self.world, spec.name, placement)
        if self._takings:
            takings.keep(self._takings)
        self._takings = takings
        self._where = dict(placement.jobs)
        for job in spec.jobs:
            if job.name not in self._jobs:
                made = self._simulated(job, namespace_of(job, spec), clusters)
                made.pulled = self._pulled(made, spec.name, placement)
                self._jobs[job.name] = made
        for simulated in self._jobs.values():
            simulated.tick(self.now())
        self._unseen = any(job.stage == "running" for job in self._jobs.values())

    def _simulated(self, job: Job, namespace: str, clusters: list[LiveCluster]) -> SimulatedJob:
        cluster = self._cluster_of(job.name, namespace, clusters)
        start = self._runner(job, namespace, cluster) if self.execute else None
        work = self._work.setdefault(job.name, Work(job.recovery or Recovery()))
        return SimulatedJob(
            self.world, cluster, job.name, namespace, self.now(), start, work, self.now()
        )

    def _pulled(self, job: SimulatedJob, colony: str, placement: Placement) -> float | None:
        """When the machines that came in this command have its image; None where nothing but the
        job itself pulls it."""
        if not pulled_ahead(self.world, job):
            return None
        came = [
            at
            for urn, at in self._came.items()
            if (place := pool_at(colony, placement, urn)) and place[0] == placement.jobs[job.name]
        ]
        return max(came) + PULL if came else None

    def stop_jobs(self, at_once: bool = False, cluster: str = "") -> None:
        for name, job in list(self._jobs.items()):
            if cluster in ("", job.cluster):
                job.stop(at_once)
                del self._jobs[name]

    def cluster(self, cluster: LiveCluster) -> ClusterAccess:
        if self.real is None:
            return WorldAccess(self.world, cluster.identifier)
        selector = f"{MARK}={mark_of(self.real.mark, cluster.identifier)}"
        kube = Kube(self.real.kubeconfig(), selector=selector)
        return RealAccess(self.world, cluster.identifier, kube)

    def nodes(self, cluster: LiveCluster) -> list[dict[str, Any]] | None:
        """Of a real API server those that stand for machines of pools, if it has any."""
        if self.real is None:
            return self.world.nodes(cluster.identifier) or None
        found = self.cluster(cluster).objects("Node")
        ours = [each for each in found if POOL_LABEL in (each["metadata"].get("labels") or {})]
        return ours or None

    def inventory(self, stack: str, clusters: list[str]) -> list[Thing]:
        found = []
        for thing in self.world.inventory(everything=True):
            tags = thing["tags"]
            controllers = made_by(tags, clusters)
            if tags.get("colony-stack") == stack or controllers:
                keys = ("id", "type", "tags", "usd_per_hour", "urn", "created", "idle")
                found.append(Thing(**{k: thing[k] for k in keys if thing.get(k) is not None}))
        return found

    def delete(self, thing: Thing) -> None:
        self.world.delete(thing.id)

    def spans(self, stack: str, placement: Placement | None, since: float) -> list[Span]:
        """From the ledger: what the cloud billed, whatever the plan said; and the own hosts."""
        spans = host_spans(placement, self.now() - since)
        lives = _lives(Path(self.world.dir))
        owners = _owners(lives)
        for line in lives:
            if _stack_of(line, owners) not in (stack, ""):
                continue  # of a neighbour in this world
            urn, deleted = line.get("urn") or "", line["deleted"]
            if deleted is not None and deleted <= since:
                continue  # of a colony that was in this world before
            key = (urn, line["id"])
            start = line["created"] if line["again"] else self._starts.get(key, line["created"])
            ended = self._ends.get(key, deleted)
            end = self.now() if deleted is None else max(deleted, ended) if ended else deleted
            price, times = line["usd_per_hour"], (start - since, end - since)
            nodes = line.get("nodes", 0)
            spans.append(Span(line["id"], line["type"], urn, price, *times, nodes))
        return spans

    def charge(self, stack: str, spans: list[Span], since: float) -> None:
        """A second receipt of one life (of a colony that was kept) bills only what came since."""
        billed = _billed(Path(self.world.dir))
        entries: list[dict[str, Any]] = [
            {"stack": stack, "id": s.id, "type": s.type, "urn": s.urn, "to": _moment(since, s.end),
             "from": max(_moment(since, s.start), billed.get((s.type, s.id), 0.0)),
             "usd_per_hour": s.usd_per_hour}
            for s in spans
        ]  # fmt: skip
        self.world.charge([entry for entry in entries if entry["from"] < entry["to"]])

    def _asked(self) -> list[dict[str, Any]]:
        """The world's operations since this was asked last."""
        operations = self.world.operations()
        heard, self._heard = self._heard, len(operations)
        return operations[heard:]

    def _cluster_of(self, job: str, namespace: str, clusters: list[LiveCluster]) -> str:
        for cluster in clusters:
            if workloads_of(self.world, cluster.identifier, namespace, job):
                return cluster.identifier
        return clusters[0].identifier

    def _runner(self, job: Job, namespace: str, cluster: str) -> Callable[[dict[str, Any]], Any]:
        from colony.rehearsal.background import Background

        folder, starts = Path(self.world.dir), 0

        def echo(line: str) -> None:
            self._echo(line)
            if self._takings and not self._printed:
                self._printed = self._takings.printed(line)

        def begin(workload: dict[str, Any]) -> Background:
            secrets = self.world.objects(cluster, "Secret", namespace)
            manifests = manifests_of(self.world, cluster, namespace, job.name)
            scratch, logs = folder / "work" / job.name, folder / "logs" / job.name
            buckets = folder / "buckets"
            nonlocal starts
            starts += 1
            return Background(
                manifests, secrets, scratch, logs, buckets, echo, job, append=starts > 1
            )

        return begin


def _in_vain(asked: list[dict[str, Any]], made: Mapping[str, Any]) -> float:
    """Seconds of the creates that left nothing: they began when all else was there."""
    return max(
        (
            float(each["seconds"])
            for each in asked
            if each.get("error") and each["op"] == "create" and each["urn"] not in made
        ),
        default=0.0,
    )


def _import_program() -> None:
    """The program and the engine's SDK: the half second that the world's server needs, too."""
    import colony.automation  # noqa: F401
    import components.program  # noqa: F401


_Key = tuple[str, str]
"""URN and id: a URN that is made again is another thing."""


def _made_before(operations: Iterable[Mapping[str, Any]], now: float) -> set[_Key]:
    """What is there, but for what was made this very second: the `up` that made it was killed
    before its time could pass."""
    made: set[_Key] = set()
    for each in operations:
        key = str(each.get("urn") or ""), str(each.get("id") or "")
        if each["op"] == "delete" and not each.get("error"):
            made.discard(key)
        elif each["op"] == "create" and each["at"] < now:
            made.add(key)
    return made


def _key(resource: Mapping[str, Any]) -> _Key:
    return resource["urn"], str(resource.get("id") or "")


def _lives(folder: Path) -> list[dict[str, Any]]:
    """One entry for everything billable that ever was: when it came, and when it went."""
    from colony.rehearsal.ledger import LEDGER, read_lines

    lives: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in read_lines(folder / LEDGER):
        those = lives.setdefault((line["type"], line["id"]), [])
        ended = not those or those[-1]["deleted"] is not None
        if line["op"] == "create" and ended:  # else only its tags or its price are others
            those.append({**line, "created": line["at"], "deleted": None, "again": bool(those)})
        elif line["op"] == "delete" and not ended:
            those[-1]["deleted"] = line["at"]
    return [each for key in sorted(lives) for each in lives[key]]


def _billed(folder: Path) -> dict[tuple[str, str], float]:
    """Until when each thing was billed."""
    from colony.rehearsal.ledger import LEDGER, read_lines

    bills = [line for line in read_lines(folder / LEDGER) if line["op"] == "bill"]
    return {(line["type"], line["id"]): line["to"] for line in bills if "to" in line}


def _moment(since: float, seconds: float) -> float:
    """In whole milliseconds of the run, as the receipt counts."""
    return (round(since * 1000) + round(seconds * 1000)) / 1000


def _owners(lives: list[dict[str, Any]]) -> dict[str, str]:
    """Stacks by the name of everything of theirs, clusters among it."""
    tagged = [(line, (line.get("tags") or {}).get("colony-stack")) for line in lives]
    return {str(line["id"]).rsplit("/", 1)[-1]: stack for line, stack in tagged if stack}


def _stack_of(line: Mapping[str, Any], owners: Mapping[str, str]) -> str:
    """By tag, by URN, or by the cluster whose controllers made it; empty where nothing says it."""
    tags = line.get("tags") or {}
    if "colony-stack" in tags:
        return str(tags["colony-stack"])
    if line.get("urn"):
        return str(line["urn"]).split(":")[2]
    return next((owners[name] for name in sorted(owners) if made_by(tags, [name])), "")


def _event(at: float, what: str, urn: str) -> dict[str, Any]:
    return {"at": round(at, 3), "what": what, "urn": urn}

"""Read, plan, write the decision, do it: over and over, each job on its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from colony.agent.client import ApiError, Client, Unreachable
from colony.agent.codec import read_spec, read_state, write_state
from colony.agent.model import (
    Action,
    CreatePod,
    DeleteAll,
    DeleteObject,
    DeletePod,
    Nudge,
    Outcome,
    Plan,
    Seen,
    Spec,
    State,
)
from colony.agent.observe import NUDGE, is_leaving, is_owned, launcher, workers, workload
from colony.agent.plan import plan
from colony.agent.worker import worker_pod

__all__ = ["Agent", "Beside", "ElasticJob"]

NODE_EVERY = 5.0
"""Seconds for which what is known of a node is believed."""

Say = Callable[[str], None]
Object = dict[str, Any]


@dataclass(frozen=True)
class ElasticJob:
    """One job to look after."""

    namespace: str
    name: str


class Beside(Protocol):
    """Something else that is looked after in every round."""

    def turn(self) -> None:
        """One look. Raises ApiError, Unreachable, ValueError, KeyError."""


class Agent:
    """Looks after elastic jobs. Holds nothing that it could not lose at any moment."""

    def __init__(
        self,
        client: Client,
        jobs: list[ElasticJob],
        say: Say,
        clock: Callable[[], float] = time.time,
        beside: Sequence[Beside] = (),
    ) -> None:
        self._client = client
        self._beside = beside
        self._jobs = jobs
        self._say = say
        self._clock = clock
        self._nodes: dict[str, tuple[float, bool]] = {}
        self._blind = False
        self._said: dict[ElasticJob, str] = {}
        self._troubles: dict[str, str] = {}

    def run(self, interval: float, rounds: int | None = None) -> None:
        """For ever, or so many rounds; a job that cannot be looked after does not stop others."""
        while rounds is None or rounds > 0:
            began = time.monotonic()
            for job in self._jobs:
                self._look_after(job)
            for other in self._beside:
                self._look_beside(other)
            rounds = None if rounds is None else rounds - 1
            if rounds != 0:
                time.sleep(max(interval - (time.monotonic() - began), 0.05))

    def turn(self, job: ElasticJob) -> Plan | None:
        """One turn for one job; None where there is nothing of it. Raises ApiError, Unreachable,
        and ValueError for a ConfigMap that is not ours."""
        wanted = self._client.get(_config_map(job, f"{job.name}-elastic-spec"))
        if wanted is None or wanted["metadata"].get("deletionTimestamp"):
            return None
        spec = read_spec(wanted.get("data") or {})
        live = self._client.get(_config_map(job, _live(job)))
        if live and not is_owned(live, wanted["metadata"]["uid"]):
            self._client.delete(_config_map(job, _live(job)))  # of an earlier job of that name
            return None
        state = read_state(live.get("data") or {}) if live else None
        decided = plan(spec, state, self._seen(job, spec, wanted["metadata"]["uid"]))
        if decided.state is not None:
            self._tell(job, state, decided.state)
            if not self._write(job, spec, decided.state, live, wanted):
                return decided
        failed = []
        for action in decided.actions:
            try:
                self._act(job, spec, action, wanted)
            except ApiError as error:  # a quota, for one: the other actions go on
                failed.append(error)
        if failed:
            raise failed[0]
        return decided

    def _look_after(self, job: ElasticJob) -> None:
        trouble = ""
        try:
            self.turn(job)
        except (ApiError, Unreachable, ValueError, KeyError) as error:
            trouble = f"{type(error).__name__}: {error}"
        if trouble != self._said.get(job, ""):
            self._said[job] = trouble
            self._say(f"{job.namespace}/{job.name}: {trouble or 'is looked after again'}")

    def _look_beside(self, other: Beside) -> None:
        name, trouble = type(other).__name__, ""
        try:
            other.turn()
        except (ApiError, Unreachable, ValueError, KeyError) as error:
            trouble = f"{type(error).__name__}: {error}"
        if trouble != self._troubles.get(name, ""):
            self._troubles[name] = trouble
            self._say(f"{name}: {trouble or 'works again'}")

    def _seen(self, job: ElasticJob, spec: Spec, owner: str) -> Seen:
        selector = f"colony.dev/job={job.name}"
        found = self._client.get(_pods(job), labelSelector=selector) or {}
        pods = found.get("items") or []
        ours = workers(spec, pods, owner)
        where = spec.workload
        path = f"{where['path']}/namespaces/{job.namespace}/{where['resource']}/{where['name']}"
        return Seen(
            now=self._clock(),
            pods=ours,
            launcher=launcher(spec, pods),
            workload=workload(self._client.get(path)),
            leaving_nodes=frozenset(
                node
                for node in {pod.node for pod in ours.values() if pod.node}
                if self._leaves(node)
            ),
        )

    def _leaves(self, node: str) -> bool:
        known, now = self._nodes.get(node), self._clock()
        if known and 0 <= now - known[0] < NODE_EVERY:
            return known[1]
        leaving = False
        try:
            leaving = not self._blind and is_leaving(self._client.get(f"/api/v1/nodes/{node}"))
        except ApiError as error:
            if error.status != 403:
                raise
            self._blind = True
            self._say(f"may not look at nodes, so drains and spot notices are not seen: {error}")
        self._nodes[node] = (now, leaving)
        return leaving

    def _write(
        self, job: ElasticJob, spec: Spec, state: State, live: Object | None, wanted: Object
    ) -> bool:
        """The decision, if it is a new one. False where somebody was faster: look again."""
        data = write_state(spec, state)
        if live is None:
            metadata = {
                "name": _live(job),
                "namespace": job.namespace,
                "labels": wanted["metadata"].get("labels") or {},
                "ownerReferences": [_owner(wanted)],
            }
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            return self._client.create(_config_map(job), body)
        if live.get("data") == data:
            return True
        try:
            self._client.replace(_config_map(job, _live(job)), {**live, "data": data})
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    def _act(self, job: ElasticJob, spec: Spec, action: Action, wanted: Object) -> None:
        if isinstance(action, CreatePod):
            pod = worker_pod(spec, action.name, action.index, _owner(wanted))
            self._client.create(_pods(job), pod)
        elif isinstance(action, DeletePod):
            self._client.delete(f"{_pods(job)}/{action.name}")
        elif isinstance(action, Nudge):
            body = {"metadata": {"annotations": {NUDGE: action.value}}}
            self._client.patch(f"{_pods(job)}/{action.pod}", body)
        elif isinstance(action, DeleteObject):
            path = f"/api/v1/namespaces/{job.namespace}/{action.resource}/{action.name}"
            self._client.delete(path)
        elif isinstance(action, DeleteAll):
            self._client.delete(_config_map(job, _live(job)))

    def _tell(self, job: ElasticJob, before: State | None, after: State) -> None:
        known: list[Outcome] = before.history if before else []
        for entry in after.history:
            if entry not in known:
                what = f"scale {entry.kind} {', '.join(entry.names)}"
                self._say(f"{job.namespace}/{job.name}: {what}: {entry.outcome} {entry.message}")
        if before is None or before.hosts != after.hosts:
            self._say(f"{job.namespace}/{job.name}: hosts: {', '.join(after.hosts) or 'none'}")


def _live(job: ElasticJob) -> str:
    return f"{job.name}-elastic"


def _config_map(job: ElasticJob, name: str = "") -> str:
    path = f"/api/v1/namespaces/{job.namespace}/configmaps"
    return f"{path}/{name}" if name else path


def _pods(job: ElasticJob) -> str:
    return f"/api/v1/namespaces/{job.namespace}/pods"


def _owner(config_map: Object) -> Object:
    metadata = config_map["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": metadata["name"],
        "uid": metadata["uid"],
    }

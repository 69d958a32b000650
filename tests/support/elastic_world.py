"""A cluster in memory for the agent's planner: pods that start, a launcher that answers.

Every action is checked against what must always hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from colony.agent.codec import read_state, write_state
from colony.agent.model import (
    Action,
    CreatePod,
    DeleteAll,
    DeleteObject,
    DeletePod,
    Launcher,
    Nudge,
    Outcome,
    Pod,
    Request,
    Seen,
    Spec,
    State,
    Workload,
)
from colony.agent.plan import plan

SPEC = Spec(
    job="demo",
    role="worker",
    min=1,
    max=9,
    start=3,
    slots=2,
    restart="Never",
    timeout=60,
    grow=False,
    clean_up="Running",
    launcher="launcher",
    workload={"path": "/apis/x/v1", "resource": "jobs", "name": "demo"},
    template={"spec": {"containers": [{"name": "trainer"}]}},
    remove=[{"resource": "services", "name": "demo"}],
)


@dataclass
class World:
    spec: Spec = SPEC
    room: int = 100
    """How many pods find a node."""
    answers: bool = True
    """Whether the launcher takes notice."""
    now: float = 1000.0
    state: State | None = None
    pods: dict[str, Pod] = field(default_factory=dict)
    workload: Workload = field(default_factory=Workload)
    leaving_nodes: set[str] = field(default_factory=set)
    created: list[str] = field(default_factory=list)
    deleted_objects: list[str] = field(default_factory=list)
    attached: set[str] = field(default_factory=set)
    """Workers that the launcher holds processes for."""
    known: set[str] = field(default_factory=set)
    """Workers that a decision knew of: their names are used up."""
    readiness: int = 1
    heard: int = 0
    launching: bool = True
    launcher: str = "demo-launcher"

    @property
    def hosts(self) -> list[int]:
        return numbers(self.state.hosts if self.state else [])

    @property
    def target(self) -> list[int]:
        return numbers(self.state.target if self.state else [])

    @property
    def alive(self) -> list[int]:
        return numbers(pod.name for pod in self.pods.values() if pod.alive)

    @property
    def last(self) -> Outcome:
        assert self.state is not None
        return self.state.history[-1]

    def ask(self, kind: str, count: int | None = None, **more: object) -> str:
        assert self.state is not None
        identifier = f"r{len(self.state.requests) + len(self.state.history)}-{self.now}"
        request = Request(identifier, kind, count=count, **more)  # type: ignore[arg-type]
        self.state.requests.append(request)
        return identifier

    def turn(self, writes: int | None = None) -> list[Action]:
        """One turn of the agent; with `writes`, it is killed after so many."""
        decided = plan(self.spec, self.state, self.seen())
        left = 10**9 if writes is None else writes
        if decided.state is None or left == 0:
            return []
        self.state = read_state(write_state(self.spec, decided.state))
        self.check()
        for action in decided.actions[: left - 1]:
            self.act(action)
        return decided.actions

    def live(self, seconds: float = 30.0, until: Callable[[], bool] | None = None) -> None:
        """Agent and cluster go on."""
        end = self.now + seconds
        while self.now < end and not (until and until()):
            self.turn()
            self.pass_time()

    def pass_time(self, seconds: float = 1.0) -> None:
        """Pods start where there is room, deleted ones go; the launcher looks at its files."""
        self.now += seconds
        self.pods = {name: pod for name, pod in self.pods.items() if not pod.terminating}
        running = sum(pod.running for pod in self.pods.values())
        for name, pod in self.pods.items():
            if pod.phase == "Pending" and running < self.room:
                self.pods[name] = replace(pod, phase="Running", node=f"n{name[-1]}")
                running += 1
        self.launch()

    def launch(self) -> None:
        if self.state is None or not self.answers or not self.launching:
            return
        if self.heard != self.state.generation:
            self.heard, self.readiness = self.state.generation, -abs(self.readiness)
        elif self.readiness < 0:
            self.readiness = -self.readiness + 1
        self.attached = set(self.state.hosts)

    def seen(self) -> Seen:
        ready = f"t{self.readiness}" if self.readiness > 0 else ""
        pod = Launcher(self.launcher, running=True, ready_since=ready) if self.launching else None
        return Seen(
            now=self.now,
            pods=dict(self.pods),
            launcher=pod,
            workload=self.workload,
            leaving_nodes=frozenset(self.leaving_nodes),
        )

    def act(self, action: Action) -> None:
        if isinstance(action, CreatePod):
            self.create(action.name)
        elif isinstance(action, DeletePod):
            self.delete(action.name)
        elif isinstance(action, DeleteObject):
            self.deleted_objects.append(action.name)
        elif isinstance(action, DeleteAll):
            self.state = None
        else:
            assert isinstance(action, Nudge)

    def create(self, name: str) -> None:
        if name in self.pods:
            return
        assert name not in self.known, f"{name} had been there before"
        self.created.append(name)
        self.pods[name] = Pod(name, "Pending", started=self.now, why="Unschedulable: no node")
        there = sum(not pod.ended for pod in self.pods.values())
        assert there <= self.spec.max, "more pods than max"

    def delete(self, name: str) -> None:
        pod = self.pods.get(name)
        if pod is None:
            return
        assert self.state is not None
        assert name not in self.state.hosts, f"{name} is deleted while it is announced"
        self.pods[name] = replace(pod, terminating=True)

    def die(self, name: str, code: int | None = 1, phase: str = "Failed") -> None:
        self.pods[name] = replace(self.pods[name], phase=phase, exit_code=code)

    def check(self) -> None:
        """What holds whenever a decision is written."""
        state = self.state
        assert state is not None
        self.known |= set(state.seen)
        running = {pod.name for pod in self.pods.values() if pod.running}
        assert set(state.hosts) <= running, "a host that does not run"
        assert set(state.hosts) <= set(state.target)
        assert state.hosts == sorted(state.hosts, key=lambda name: int(name.rsplit("-", 1)[1]))
        if state.phase == "Running":
            size = len(state.target) + state.owed
            assert self.spec.min - state.succeeded <= size <= self.spec.max, "outside min..max"
        assert all(int(name.rsplit("-", 1)[1]) < state.high_water for name in state.target)


def numbers(names: Iterable[str]) -> list[int]:
    return sorted(int(name.rsplit("-", 1)[1]) for name in names)


def running_world(**changes: object) -> World:
    """A job with its first workers at work."""
    launcherless = {"answers": changes.pop("answers", True), "room": changes.pop("room", 100)}
    world = World(spec=replace(SPEC, **changes), **launcherless)  # type: ignore[arg-type]
    world.live(
        10, until=lambda: world.state is not None and len(world.state.hosts) == world.spec.start
    )
    assert len(world.hosts) == world.spec.start
    return world

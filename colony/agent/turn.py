"""One turn of the plan: the decision that is being changed, and what it is about."""

from __future__ import annotations

from collections.abc import Iterable

from colony.agent.model import STARTING, Departure, Outcome, Pod, Scaling, Seen, Spec, State

__all__ = ["Turn"]

HISTORY = 20


class Turn:
    """What all steps of a turn share."""

    def __init__(self, spec: Spec, state: State, seen: Seen) -> None:
        self.spec = spec
        self.state = state
        self.seen = seen
        self.now = seen.now

    @property
    def size(self) -> int:
        """Workers there are to be, those included that are still owed."""
        return len(self.state.target) + self.state.owed

    @property
    def adding(self) -> list[str]:
        """Workers that are started and not yet announced."""
        scaling = self.state.scaling
        return scaling.names if scaling and scaling.stage == STARTING else []

    @property
    def awaited(self) -> bool:
        """Whether the launcher has not yet dealt with the newest generation."""
        return self.state.acknowledged < self.state.generation

    def pod(self, name: str) -> Pod | None:
        return self.seen.pods.get(name)

    def runs(self, name: str) -> bool:
        pod = self.pod(name)
        return pod is not None and pod.running

    def lost(self, name: str) -> bool:
        """Whether its pod was there, and is no more or has ended."""
        pod = self.pod(name)
        return name in self.state.seen and (pod is None or not pod.alive)

    def fresh(self, count: int) -> list[str]:
        """Names that no worker of this job ever had."""
        first = self.state.high_water
        self.state.high_water = first + count
        return [self.spec.name(index) for index in range(first, first + count)]

    def next_generation(self) -> int:
        """The generation by which the launcher will have seen what is decided in this turn.

        While it owes an answer there is no new one: the answer could be to the old.
        """
        if self.awaited:
            return self.state.generation + 1
        return self.renew()

    def renew(self) -> int:
        """A new generation, to be answered from how the launcher is now."""
        launcher = self.seen.launcher
        self.state.generation += 1
        self.state.ready_since = launcher.mark if launcher else ""
        self.state.announced_at = self.now
        return self.state.generation

    def depart(self, names: Iterable[str], reason: str, deadline: float, told: bool) -> int:
        """Sends workers away. `told`: the launcher may know them, and is asked to let go first."""
        leaving = list(names)
        generation = self.next_generation() if told and leaving else 0
        for name in leaving:
            self.state.departing[name] = Departure(generation, deadline, reason)
            if name in self.state.target:
                self.state.target.remove(name)
        return generation

    def finish(self, outcome: str, message: str = "") -> None:
        """The end of the scaling under way."""
        scaling = self.state.scaling
        if scaling is None:
            return
        self.state.scaling = None
        self.record(scaling, outcome, message or scaling.reason)

    def record(self, scaling: Scaling, outcome: str, message: str) -> None:
        request = scaling.request
        entry = Outcome(request.id, request.kind, outcome, message, scaling.names, self.now)
        self.state.history = [*self.state.history, entry][-HISTORY:]

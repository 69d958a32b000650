"""Looks whether the jobs have ended, writes that down once, and tells it: in this order.

All state is in one ConfigMap, written before anybody hears of it, so that a kill loses nothing. A
kill between a signal and the note of it makes the signal come again, with the same id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colony.agent.client import Client
from colony.agent.completion import (
    Record,
    Sight,
    State,
    decide,
    delivered,
    due,
    read_completion,
    write_completion,
)
from colony.agent.ending import ending
from colony.agent.own_map import OwnMap
from colony.agent.signals import Signal, Undelivered, deliver, signal_of

__all__ = ["CompletionKeeper", "Watched", "completion_keeper_of"]

ANNOTATION = "colony.dev/completed"
"""Of the ConfigMap: the outcome, for whoever watches metadata alone."""

Object = dict[str, Any]
Deliver = Callable[[Signal, str, Record, float], None]


@dataclass(frozen=True)
class Watched:
    """Which jobs, and where the record goes."""

    colony: str
    jobs: Mapping[str, Object]
    """Job -> path, resource, group, namespace and name of the object whose end is its own."""
    namespace: str
    name: str
    owner: str


def completion_keeper_of(
    body: Object, client: Client, say: Callable[[str], None]
) -> CompletionKeeper:
    """From the agent's config. Raises KeyError, TypeError and ValueError for what it is not."""
    where = Watched(body["colony"], body["jobs"], body["namespace"], body["name"], body["owner"])
    return CompletionKeeper(client, where, [signal_of(each) for each in body["signals"]], say)


class CompletionKeeper:
    """Holds nothing that it could not lose at any moment."""

    def __init__(
        self,
        client: Client,
        watched: Watched,
        signals: Sequence[Signal],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        deliver: Deliver = deliver,
    ) -> None:
        self._client = client
        self._watched = watched
        self._map = OwnMap(client, watched.namespace, watched.name, watched.owner)
        self._signals = {signal.name: signal for signal in signals}
        self._say = say
        self._clock = clock
        self._deliver = deliver

    def turn(self) -> None:
        """One look. Raises ApiError, Unreachable, ValueError, KeyError."""
        live = self._map.read()
        state = read_completion((live or {}).get("data") or {})
        after = state if state.record else decide(state, self._seen(), self._clock())
        if after != state:
            if self._write(live, after) and after.record:
                self._say(f"completed: {after.record.outcome}")
            return  # the next look reads what was written, and tells of it
        for name in due(state, list(self._signals), self._clock()):
            state = self._tell(name, state)
            live = self._map.read()
            if live is None or not self._write(live, state):
                return

    def _seen(self) -> dict[str, Sight | None]:
        return {name: self._sight(where) for name, where in self._watched.jobs.items()}

    def _sight(self, where: Object) -> Sight | None:
        space = f"{where['path']}/namespaces/{where['namespace']}"
        found = self._client.get(f"{space}/{where['resource']}/{where['name']}")
        if found is None:
            return None
        kind = f"{where['path'].split('/')[2]}/{where['resource']}"
        return Sight(found["metadata"]["uid"], ending(kind, found))

    def _tell(self, name: str, state: State) -> State:
        assert state.record is not None
        error = ""
        try:
            self._deliver(self._signals[name], self._watched.colony, state.record, self._clock())
        except Undelivered as undelivered:
            error = str(undelivered)
        self._say(f"signal {name}: {error or 'delivered'}")
        return delivered(state, name, self._clock(), error)

    def _write(self, live: Object | None, state: State) -> bool:
        notes = {ANNOTATION: state.record.outcome} if state.record else {}
        return self._map.write(live, write_completion(state), notes)

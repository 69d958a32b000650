"""Looks whether the cluster is idle, and writes what that asks for into its ConfigMap.

Who acts upon it is outside: the reaper, and the attached run. All state is in the ConfigMap, so
the timers outlive any restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from colony.agent.client import Client
from colony.agent.idle import Activity, IdleSpec, IdleState, decide, read_idle, write_idle
from colony.agent.own_map import OwnMap

__all__ = ["IdleKeeper", "Place", "keeper_of"]

JOB = "colony.dev/job"
SESSION = "session"
"""Key of the ConfigMap in which a session leaves unix seconds as a sign of life."""
NAMED = "app.kubernetes.io/name"
OURS = ("colony-agent", "colony-images")
OVER = ("Succeeded", "Failed")
EVERY = 10.0
"""Seconds between two looks."""

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Whose pods count, and where the state is."""

    namespaces: tuple[str, ...]
    namespace: str
    name: str
    owner: str
    """The ConfigMap that it goes with."""


def keeper_of(body: Object, client: Client, say: Callable[[str], None]) -> IdleKeeper:
    """From the agent's config. Raises KeyError, TypeError and ValueError for what it is not."""
    spec = IdleSpec(body["wait_for"], body.get("stop"), body.get("delete"))
    place = Place(tuple(body["namespaces"]), body["namespace"], body["name"], body["owner"])
    return IdleKeeper(client, spec, place, say)


class IdleKeeper:
    """Holds nothing that it could not lose at any moment."""

    def __init__(
        self,
        client: Client,
        spec: IdleSpec,
        place: Place,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._spec = spec
        self._place = place
        self._map = OwnMap(client, place.namespace, place.name, place.owner)
        self._say = say
        self._clock = clock
        self._looked = float("-inf")

    def turn(self) -> None:
        """One look, no more often than every ten seconds. Raises ApiError, Unreachable,
        ValueError."""
        now = self._clock()
        if 0 <= now - self._looked < EVERY:
            return
        self._looked = now
        live = self._map.read()
        data = (live or {}).get("data") or {}
        state = read_idle(data) if live else None
        after = decide(self._spec, state, self._seen(data), now)
        if after == state:
            return
        if self._map.write(live, {**data, **write_idle(after)}):
            self._tell(state, after)

    def _seen(self, data: Object) -> Activity:
        pods = [
            pod
            for namespace in self._place.namespaces
            for pod in (self._client.get(f"/api/v1/namespaces/{namespace}/pods") or {}).get(
                "items", []
            )
            if not _is_ours(pod)
        ]
        alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in OVER]
        ends = [end for pod in pods if (end := _ended(pod)) is not None]
        of_jobs = sum(_of_job(pod) for pod in alive)
        session = data.get(SESSION)
        return Activity(
            jobs=of_jobs,
            others=len(alive) - of_jobs,
            session=float(session) if session else None,
            ended=max(ends, default=None),
        )

    def _tell(self, before: IdleState | None, after: IdleState) -> None:
        if after.signal and after.signal != (before.signal if before else ""):
            self._say(f"idle: asks to {after.signal}")
        elif (before is None or before.since is None) != (after.since is None):
            self._say("idle: busy" if after.since is None else "idle: nothing runs")


def _is_ours(pod: Object) -> bool:
    """There as long as the nodes are, whoever works on them."""
    return (pod["metadata"].get("labels") or {}).get(NAMED) in OURS


def _of_job(pod: Object) -> bool:
    return JOB in (pod["metadata"].get("labels") or {})


def _ended(pod: Object) -> float | None:
    """When its last container ended."""
    found = []
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        text = ((container.get("state") or {}).get("terminated") or {}).get("finishedAt")
        if text:
            found.append(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
    return max(found, default=None)

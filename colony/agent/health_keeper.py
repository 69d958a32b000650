"""Looks at what the nodes' watches print, and taints nodes whose hardware is at fault.

All state is in its ConfigMap, written before a node is touched: it may be killed anywhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from colony.agent.client import ApiError, Client
from colony.agent.health import (
    TAINT,
    TOLD,
    Deed,
    Line,
    NodeState,
    hear,
    read_nodes,
    settle,
    write_nodes,
)  # fmt: skip
from colony.agent.own_map import OwnMap

__all__ = ["HealthKeeper", "HealthPlace", "health_keeper_of"]

EVERY = 5.0
"""Seconds between two looks at the list of watches."""
AT_ONCE = 20
"""Logs that one turn reads: many nodes are read in turns, so that elastic jobs do not wait."""
TAIL = "200"
"""Lines of each."""
WATCH = "app.kubernetes.io/name=colony-health"
NODES = "nodes"
"""Key of the ConfigMap."""

Object = dict[str, Any]


@dataclass(frozen=True)
class HealthPlace:
    """The namespace of the watches and of the ConfigMap `name`; what is borne; when it is over."""

    namespace: str
    name: str
    allowed: frozenset[str] = frozenset()
    lift_after: float | None = None


def health_keeper_of(body: Object, client: Client, say: Callable[[str], None]) -> HealthKeeper:
    """From the agent's config. Raises KeyError and TypeError for what it is not."""
    allowed = frozenset(body.get("allow") or [])
    place = HealthPlace(body["namespace"], body["name"], allowed, body.get("lift_after"))
    return HealthKeeper(client, place, say)


class HealthKeeper:
    """Holds nothing that it could not lose at any moment."""

    def __init__(
        self,
        client: Client,
        place: HealthPlace,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._place = place
        self._map = OwnMap(client, place.namespace, place.name)
        self._say = say
        self._clock = clock
        self._looked = float("-inf")
        self._due: list[tuple[str, str]] = []

    def turn(self) -> None:
        """One look at some of the nodes. Raises ApiError, Unreachable, ValueError."""
        now = self._clock()
        if not self._due:
            if 0 <= now - self._looked < EVERY:
                return
            self._looked, self._due = now, self._watches()
        batch, self._due = self._due[:AT_ONCE], self._due[AT_ONCE:]
        live = self._map.read()
        before = read_nodes(((live or {}).get("data") or {}).get(NODES, ""))
        after, deeds = self._settled(self._heard(before, batch, now), now)
        if after != before and not self._map.write(live, {NODES: write_nodes(after)}):
            return  # somebody was faster: the next look sees what he wrote
        for node, deed in deeds:
            self._do(node, deed)

    def _watches(self) -> list[tuple[str, str]]:
        """(node, pod) of those that run."""
        path = f"/api/v1/namespaces/{self._place.namespace}/pods"
        found = (self._client.get(path, labelSelector=WATCH) or {}).get("items") or []
        return sorted(
            (pod["spec"].get("nodeName", ""), pod["metadata"]["name"])
            for pod in found
            if (pod.get("status") or {}).get("phase") == "Running"
        )

    def _heard(
        self, nodes: dict[str, NodeState], batch: list[tuple[str, str]], now: float
    ) -> dict[str, NodeState]:
        found = dict(nodes)
        for node, pod in batch:
            state = hear(found.get(node), self._lines(pod), self._place.allowed, now)
            if state is not None:
                found[node] = state
        return found

    def _lines(self, pod: str) -> Iterator[Line]:
        """A node that does not answer must not keep the others from being looked at."""
        path = f"/api/v1/namespaces/{self._place.namespace}/pods/{pod}/log"
        try:
            text = self._client.text(path, tailLines=TAIL)
        except ApiError as error:
            if error.status in (401, 403):
                raise
            return
        for line in text.splitlines():
            try:
                said = json.loads(line)
                yield Line(str(said["boot"]), float(said["at"]), str(said["text"]))
            except (ValueError, TypeError, KeyError):
                continue  # a traceback, or a line that was cut off

    def _settled(
        self, nodes: dict[str, NodeState], now: float
    ) -> tuple[dict[str, NodeState], list[tuple[Object, Deed]]]:
        """A node that is gone is forgotten."""
        after: dict[str, NodeState] = {}
        deeds: list[tuple[Object, Deed]] = []
        for name, state in nodes.items():
            if not (state.faults or state.tainted):
                after[name] = state
                continue
            node = self._client.get(f"/api/v1/nodes/{name}")
            if node is None:
                continue
            boot = ((node.get("status") or {}).get("nodeInfo") or {}).get("bootID", "")
            lift = self._place.lift_after
            after[name], deed = settle(state, boot, bool(_taints(node)), now, lift)
            if state.faults and not after[name].faults:
                self._say(f"node {name} is well again: {', '.join(state.faults)} is over")
            if deed:
                deeds.append((node, deed))
        return after, deeds

    def _do(self, node: Object, deed: Deed) -> None:
        """With the version that was read: another's taint is never lost. The next look tries
        again."""
        metadata, spec = node["metadata"], node.get("spec") or {}
        taints = [each for each in spec.get("taints") or [] if each.get("key") != TAINT]
        if deed.value is not None:
            taints.append({"key": TAINT, "value": deed.value, "effect": "NoSchedule"})
        body = {
            "metadata": {
                "resourceVersion": metadata["resourceVersion"],
                "annotations": {TOLD: deed.because or None},
            },
            "spec": {"taints": taints or None},
        }
        try:
            self._client.patch(f"/api/v1/nodes/{metadata['name']}", body)
        except ApiError as error:
            if error.status == 409:
                return
            raise
        if deed.value is not None:
            self._say(f"node {metadata['name']} is tainted, {deed.value}: {deed.because}")


def _taints(node: Object) -> list[Object]:
    taints = (node.get("spec") or {}).get("taints") or []
    return [each for each in taints if each.get("key") == TAINT]

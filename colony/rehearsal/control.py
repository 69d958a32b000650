"""The control of a world: what `World` asks its server, as JSON over the same gRPC server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from colony.rehearsal.calls import Refusal
from colony.rehearsal.drift import drifted
from colony.rehearsal.nodes import nodes_of
from colony.rehearsal.simulation import Simulation
from colony.rehearsal.state import Change, Thing

__all__ = ["Control", "decode", "encode"]


def encode(message: Any) -> bytes:
    return json.dumps(message, sort_keys=True).encode()


def decode(data: bytes) -> Any:
    return json.loads(data)


class Control:
    """The methods by name: each takes and gives plain values."""

    def __init__(self, simulation: Simulation, stop: Callable[[], None]) -> None:
        self._simulation, self._stop = simulation, stop
        self._world = simulation.store.world

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """`{"ok": result}`, or `{"refused": {"code", "message"}}` in the cloud's own words."""
        name, arguments = request["method"], request.get("args", {})
        try:
            if name == "delete":  # without the lock: it may take a while
                self._simulation.vacate(**arguments)
            with self._simulation.lock:
                return {"ok": getattr(self, f"do_{name}")(**arguments)}
        except Refusal as refused:
            return {"refused": {"code": refused.code, "message": refused.message}}

    def do_ping(self) -> bool:
        return True

    def do_stop(self) -> bool:
        self._stop()
        return True

    def do_now(self) -> float:
        return self._world.clock

    def do_advance(self, seconds: float) -> float:
        changes: list[Change] = [["clock", self._world.clock + seconds]]
        self._simulation.change("advance", lambda: changes)
        return self._world.clock

    def do_inventory(
        self, tags: dict[str, str] | None = None, everything: bool = False
    ) -> list[dict[str, Any]]:
        for package in sorted({t.package for t in self._world.things.values()}):
            self._simulation.refuse("read", package, f"{package}:inventory", "inventory")
        things = [t for t in self._world.things.values() if everything or t.usd_per_hour]
        wanted = (tags or {}).items()
        found = [t for t in sorted(things, key=_order) if wanted <= t.tags.items()]
        return [{**_row(t), "idle": self._idle(t)} for t in found]

    def _idle(self, thing: Thing) -> bool:
        rule = self._simulation.packages[thing.package].types.get(thing.type)
        return bool(rule and rule.idle and not thing.goes_with)

    def do_thing(self, id: str) -> dict[str, Any]:
        return asdict(self._find(id))

    def do_nodes(self, cluster_id: str) -> list[dict[str, Any]]:
        return nodes_of(self._simulation.store, self._simulation.faults, cluster_id)

    def do_delete(self, id: str, type: str | None = None) -> bool:
        thing = self._find(id, type)
        urn = thing.urn or thing.id
        self._simulation.refuse("delete", thing.package, thing.type, urn, thing.region)

        def make() -> list[Change]:
            return self._simulation.cloud.removal(thing, detach=True)

        self._simulation.change("delete", make, id=id, by="control")
        return True

    def do_drift(self) -> int:
        """Everything is changed as clouds and controllers do; how many things were."""
        return len(self._simulation.change("drift", lambda: drifted(self._simulation)))

    def do_objects(
        self, cluster_id: str, kind: str, namespace: str | None = None
    ) -> list[dict[str, Any]]:
        self._reach("read", cluster_id, kind)
        return self._simulation.kubernetes.objects(cluster_id, kind, namespace)

    def do_put_object(self, cluster_id: str, obj: dict[str, Any]) -> bool:
        kubernetes = self._simulation.kubernetes
        self._simulation.change("put", lambda: kubernetes.put(kubernetes.known(cluster_id), obj))
        return True

    def do_delete_object(
        self, cluster_id: str, kind: str, namespace: str | None, name: str
    ) -> bool:
        kubernetes = self._simulation.kubernetes

        def make() -> list[Change]:
            return kubernetes.discard(cluster_id, kind, namespace, name)

        self._reach("delete", cluster_id, kind)
        self._simulation.change("remove", make, id=f"{kind}/{namespace}/{name}")
        return True

    def do_free_object(self, cluster_id: str, kind: str, namespace: str | None, name: str) -> bool:
        kubernetes = self._simulation.kubernetes

        def make() -> list[Change]:
            return kubernetes.free(cluster_id, kind, namespace, name)

        self._reach("update", cluster_id, kind)
        self._simulation.change("free", make, id=f"{kind}/{namespace}/{name}")
        return True

    def do_patch_status(
        self, cluster_id: str, kind: str, namespace: str | None, name: str, status: dict[str, Any]
    ) -> bool:
        kubernetes = self._simulation.kubernetes

        def make() -> list[Change]:
            key = kubernetes.find_key(cluster_id, kind, namespace, name)
            record = self._world.objects[cluster_id][key]
            whole = {**record["object"], "status": status}
            return [["object", cluster_id, key, {**record, "object": whole}]]

        self._simulation.change("status", make, id=f"{kind}/{namespace}/{name}")
        return True

    def do_preempt(self, urn: str, region: str) -> int:
        """Notes that a machine of a pool was taken; returns how often that has happened."""
        noted: list[Change] = [["clock", self._world.clock]]
        facts = {"urn": urn, "region": region, "seconds": 0.0}
        self._simulation.change("preempt", lambda: noted, **facts)
        return self.do_preempted(urn, region)

    def do_preempted(self, urn: str, region: str) -> int:
        return sum(
            (entry["op"], entry.get("urn"), entry.get("region")) == ("preempt", urn, region)
            for entry in self._simulation.store.entries
        )

    def do_add_cluster(self, cluster_id: str, endpoint: str = "") -> bool:
        changes: list[Change] = [["cluster", cluster_id, {"endpoint": endpoint}]]
        self._simulation.change("cluster", lambda: changes, id=cluster_id)
        return True

    def do_operations(self) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in entry.items() if key != "changes"}
            for entry in self._simulation.store.entries
        ]

    def do_durations(self) -> list[list[Any]]:
        return [
            [entry["urn"], entry["op"], entry["seconds"]]
            for entry in self._simulation.store.entries
            if entry.get("urn")
        ]

    def _reach(self, op: str, cluster: str, kind: str) -> None:
        """`kubernetes:api:KIND` is the type by which a fault names what the engine does not ask."""
        self._simulation.refuse(op, "kubernetes", f"kubernetes:api:{kind}", f"{cluster}/{kind}")

    def _find(self, id: str, type: str | None = None) -> Thing:
        """By id; of two types of one id the one that costs money."""
        found = [
            thing
            for thing in self._world.things.values()
            if thing.id == id and type in (None, thing.type)
        ]
        if not found:
            raise Refusal("NotFound", f"nothing here has the id {id}")
        return max(found, key=lambda thing: thing.usd_per_hour)


def _row(thing: Thing) -> dict[str, Any]:
    return {
        "id": thing.id, "type": thing.type, "tags": thing.tags, "usd_per_hour": thing.usd_per_hour,
        "urn": thing.urn, "created": thing.created, "region": thing.region,
    }  # fmt: skip


def _order(thing: Thing) -> tuple[str, str]:
    return thing.type, thing.id

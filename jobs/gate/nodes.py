"""What a cluster has: its nodes as Kubernetes lists them, and what is taken of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from jobs.amounts import quantity
from jobs.gate.models import labels

__all__ = ["Node", "Taint", "nodes_of", "requests_of", "with_pods"]

CPU, MEMORY = "cpu", "memory"
_NOTHING = Decimal(0)

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Taint:
    """What keeps pods away that do not tolerate it."""

    key: str
    value: str
    effect: str

    def tolerated(self, tolerations: Iterable[Object]) -> bool:
        """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""
        return any(self._by(each) for each in tolerations)

    def _by(self, toleration: Object) -> bool:
        key, effect = toleration.get("key"), toleration.get("effect")
        if (key and key != self.key) or (effect and effect != self.effect):
            return False
        exists = toleration.get("operator") == "Exists"
        return exists or (bool(key) and (toleration.get("value") or "") == self.value)


@dataclass(frozen=True)
class Node:
    """One node that takes pods. Amounts by Kubernetes' names: CPUs, bytes, devices."""

    name: str
    has: Mapping[str, Decimal]
    """Allocatable."""
    free: Mapping[str, Decimal]
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @property
    def resource(self) -> str:
        """Of its GPUs; empty without."""
        return next(
            (name for name in labels()["resources"] if self.has.get(name, _NOTHING) > 0), ""
        )

    @property
    def gpus(self) -> int:
        return int(self.has.get(self.resource, _NOTHING))

    @property
    def vendor(self) -> str:
        """As a label says, else that of the resource."""
        said = self.labels.get(labels()["vendor"])
        return said or str(labels()["resources"].get(self.resource, ""))

    @property
    def selector(self) -> tuple[tuple[str, str], ...]:
        """The label that says its model: what picks this kind of node."""
        found = [(key, self.labels[key]) for key in labels()["models"] if self.labels.get(key)]
        return tuple(found[:1])

    @property
    def model(self) -> str:
        """As its label spells it; empty where none does."""
        return self.selector[0][1] if self.selector else ""


def nodes_of(objects: Iterable[Object], pods: Iterable[Object] = ()) -> list[Node]:
    """Nodes that are ready and not cordoned: unknown is never ready."""
    found = [_node(each) for each in objects if _takes_pods(each)]
    return with_pods(found, pods)


def with_pods(nodes: Iterable[Node], pods: Iterable[Object]) -> list[Node]:
    """The nodes, less what pods on them ask for; never below nothing."""
    taken: dict[str, dict[str, Decimal]] = {}
    for pod in pods:
        name = (pod.get("spec") or {}).get("nodeName")
        if name and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            mine = taken.setdefault(name, {})
            for resource, amount in requests_of(pod.get("spec") or {}).items():
                mine[resource] = mine.get(resource, _NOTHING) + amount
    return [replace(node, free=_less(node.free, taken.get(node.name, {}))) for node in nodes]


def requests_of(spec: Object) -> dict[str, Decimal]:
    """What a pod takes of its node: its containers together, or its largest init container.

    Init containers that stay (`restartPolicy: Always`) count with the containers.
    https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
    """
    init = spec.get("initContainers") or []
    staying = [each for each in init if each.get("restartPolicy") == "Always"]
    total: dict[str, Decimal] = {}
    for container in [*(spec.get("containers") or []), *staying]:
        for name, amount in _asked(container):
            total[name] = total.get(name, _NOTHING) + amount
    for container in init:
        for name, amount in _asked(container):
            total[name] = max(total.get(name, _NOTHING), amount)
    return total


def _asked(container: Object) -> Iterator[tuple[str, Decimal]]:
    resources = container.get("resources") or {}
    wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    for name, value in wanted.items():
        yield name, quantity(value)


def _node(thing: Object) -> Node:
    metadata, status = thing["metadata"], thing.get("status") or {}
    has = {name: quantity(v) for name, v in (status.get("allocatable") or {}).items()}
    taints = (thing.get("spec") or {}).get("taints") or []
    found = tuple(
        Taint(str(t.get("key")), str(t.get("value") or ""), str(t.get("effect"))) for t in taints
    )
    return Node(str(metadata["name"]), has, has, metadata.get("labels") or {}, found)


def _takes_pods(thing: Object) -> bool:
    if (thing.get("spec") or {}).get("unschedulable"):
        return False
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _less(free: Mapping[str, Decimal], taken: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: max(_NOTHING, free[name] - taken.get(name, _NOTHING)) for name in free}

"""Whether pods fit onto nodes: as a sum over the cluster, and pod by pod. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from jobs.gate.demand import Demand
from jobs.gate.nodes import CPU, MEMORY, Node
from jobs.gate.offering import matching

__all__ = ["candidates", "packs", "room", "short"]

_NOTHING = Decimal(0)
_KEEPS_AWAY = ("NoSchedule", "NoExecute")

Amounts = Mapping[str, Mapping[str, Decimal]]


def candidates(demand: Demand, nodes: Iterable[Node]) -> list[Node]:
    """Nodes that may take a pod of it at all, however full they are."""
    found = list(nodes)
    if demand.gpus:
        found = matching(found, demand.model, demand.resource)
    return [node for node in found if _allows(node, demand)]


def short(demand: Demand, nodes: Iterable[Node]) -> dict[str, Decimal]:
    """What is missing of each resource in the sum of all nodes' free amounts; empty where none is.

    A sum only: 3 GPUs on 2 + 2 are enough here, and fit on no node.
    """
    found = candidates(demand, nodes)
    missing = {}
    for name, amount in demand.asks.items():
        free = sum((node.free.get(name, _NOTHING) for node in found), _NOTHING)
        if (lack := amount * demand.replicas - free) > 0:
            missing[name] = lack
    return missing


def room(demand: Demand, nodes: Iterable[Node], spread: bool = False) -> int:
    """How many pods of it alone fit, each on one node."""
    return sum(_each(demand, node.free, spread) for node in candidates(demand, nodes))


def packs(demands: Sequence[Demand], nodes: Sequence[Node], spread: bool = False) -> bool:
    """Whether all pods were placed, by one of a few orders of the classic greedy way.

    Best fit, decreasing. True is certain; false may be wrong for a mix of sizes.
    """
    return any(_placed(sorted(demands, key=order), nodes, spread) for order in _ORDERS)


def _asked(name: str) -> Callable[[Demand], Decimal]:
    return lambda demand: -demand.asks.get(name, _NOTHING)


_ORDERS: tuple[Callable[[Demand], Decimal], ...] = (
    lambda demand: Decimal(-demand.gpus),
    _asked(CPU),
    _asked(MEMORY),
)


def _placed(demands: Iterable[Demand], nodes: Sequence[Node], spread: bool) -> bool:
    free = {node.name: dict(node.free) for node in nodes}
    used: set[str] = set()
    for demand in demands:
        left = demand.replicas
        for node in sorted(candidates(demand, nodes), key=lambda each: _left(free, each, demand)):
            if spread and node.name in used:
                continue
            here = min(left, _each(demand, free[node.name], spread))
            for name, amount in demand.asks.items():
                free[node.name][name] = free[node.name].get(name, _NOTHING) - amount * here
            used |= {node.name} if here else set()
            left -= here
        if left:
            return False
    return True


def _left(free: Amounts, node: Node, demand: Demand) -> tuple[Decimal, str]:
    """The fullest first, so that large pods find whole nodes; nodes with GPUs last of all."""
    resource = demand.resource or node.resource
    return free[node.name].get(resource, _NOTHING), node.name


def _each(demand: Demand, free: Mapping[str, Decimal], spread: bool) -> int:
    """Pods that fit into what one node has free."""
    counts = [
        int(free.get(name, _NOTHING) // amount) for name, amount in demand.asks.items() if amount
    ]
    most = min(counts, default=demand.replicas)
    return min(most, 1) if spread else most


def _allows(node: Node, demand: Demand) -> bool:
    selected = all(node.labels.get(key) == value for key, value in demand.selector.items())
    away = [taint for taint in node.taints if taint.effect in _KEEPS_AWAY]
    return selected and all(taint.tolerated(demand.tolerations) for taint in away)

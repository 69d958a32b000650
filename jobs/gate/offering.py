"""Which kinds of GPUs a cluster has, and how many of one are free. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobs.gate.models import labels, same_model
from jobs.gate.nodes import Node

__all__ = ["Offering", "available", "matching", "offerings"]


@dataclass(frozen=True)
class Offering:
    """GPUs that one node selector picks. `model` is spelled as the nodes spell it."""

    model: str
    vendor: str
    resource: str
    selector: Mapping[str, str]
    total: int
    nodes: int
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the first node says of its GPUs."""


def offerings(nodes: Iterable[Node]) -> list[Offering]:
    """One for each vendor, resource and selector, by model."""
    groups: dict[tuple[object, ...], list[Node]] = {}
    for node in nodes:
        if node.resource:
            groups.setdefault((node.vendor, node.resource, node.selector), []).append(node)
    found = [_offering(group) for group in groups.values()]
    return sorted(found, key=lambda each: (each.model, each.resource, sorted(each.selector)))


def available(nodes: Iterable[Node], model: str) -> int | None:
    """Free GPUs of a model; None where no node has it, which is not the same as none free."""
    found = matching(nodes, model)
    return sum(int(node.free[node.resource]) for node in found) if found else None


def matching(nodes: Iterable[Node], model: str = "", resource: str = "") -> list[Node]:
    """Nodes with GPUs of a model, or of any; `resource` is the vendor's, or any."""
    return [
        node
        for node in nodes
        if node.resource
        and (not resource or node.resource == resource)
        and (not model or same_model(model, node.model))
    ]


def _offering(group: list[Node]) -> Offering:
    first, kept = group[0], tuple(labels()["kept"])
    return Offering(
        model=first.model,
        vendor=first.vendor,
        resource=first.resource,
        selector=dict(first.selector),
        total=sum(node.gpus for node in group),
        nodes=len(group),
        labels={key: value for key, value in first.labels.items() if key.startswith(kept)},
    )

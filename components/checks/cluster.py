"""What the rules look at: one cluster with its layers. Pure: no pulumi."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import charts
from components.layer_choice import ChosenLayer
from components.placement import PoolPlacement
from jobs.spec import Job

__all__ = ["Cluster", "at"]


@dataclass(frozen=True)
class Cluster:
    """What the rules look at."""

    site: charts.Site
    layers: list[ChosenLayer]
    pools: list[PoolPlacement] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Of the jobs in the file, where it has others too."""
    kept: frozenset[str] = frozenset()
    """Layers that were there before, and are left alone: their values are not known."""

    def job_path(self, index: int) -> str:
        """`jobs[2]`, as the file counts."""
        return f"jobs[{self.places[index] if self.places else index}]"

    def layer(self, name: str) -> ChosenLayer | None:
        return next((each for each in self.layers if each.name == name), None)

    def value(self, name: str, path: str, default: Any = None) -> Any:
        """Of a layer that is there; the default where it is not, or says nothing."""
        found = self.layer(name)
        return default if found is None else at(found.values, path, default)


def at(tree: Mapping[str, Any], path: str, default: Any) -> Any:
    node: Any = tree
    for part in path.split("."):
        if not isinstance(node, dict) or part not in node:
            return default
        node = node[part]
    return node

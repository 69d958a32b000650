"""What the agents of a colony have written into their ConfigMaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from colony.lifecycle.ground import ClusterAccess
from components.agent import NAME

__all__ = ["written"]


def written(
    access: ClusterAccess, spaces: Iterable[str], colony: str, name_of: Callable[[str], str]
) -> list[dict[str, str]]:
    """The data of one part's maps in one cluster; `name_of` is by the agent's own name, which on a
    shared cluster has the colony's in it. Raises ColonyError where it cannot be asked."""
    names = {name_of(NAME), name_of(f"{NAME}-{colony}")}
    maps = [each for space in spaces for each in access.objects("ConfigMap", space)]
    return [each.get("data") or {} for each in maps if each["metadata"]["name"] in names]

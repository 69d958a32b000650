"""The clouds' own inventories: what really exists by tag, whatever a state believes.

One module a cloud, each with `find(region, tags)` and `delete(thing)`; imported when used.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from colony.lifecycle.ground import Thing
from jobs.errors import NotSupported, Problem

__all__ = ["Inventory", "inventory_of"]

CLOUDS = ("aws",)


class Inventory(Protocol):
    """What a cloud lists in one region."""

    def check(self) -> None:
        """Raises NotReady where the cloud would not let us in."""

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        """Everything with the tag (and value). Things on their way out are not listed."""

    def delete(self, thing: Thing) -> None:
        """Begins the deletion. Raises ColonyError with the cloud's words where it refuses."""


def inventory_of(cloud: str, region: str) -> Inventory:
    """Raises NotSupported for a cloud without an inventory, NotReady without its SDK."""
    if cloud not in CLOUDS:
        raise NotSupported(Problem("cloud", f"no inventory of `{cloud}` is built yet"))
    module = importlib.import_module(f"colony.inventory.{cloud}")
    found: Inventory = module.open_inventory(region)
    return found

"""The clouds' own inventories: what really exists by tag, whatever a state believes.

One module a cloud, each with `open_inventory(region)` and `everywhere()`; imported when used.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from colony.lifecycle.ground import Thing
from jobs.errors import NotSupported, Problem

__all__ = ["CLOUDS", "Inventory", "everywhere", "inventory_of"]

CLOUDS = ("aws", "azure", "gcp")


class Inventory(Protocol):
    """What a cloud lists in one region."""

    @property
    def place(self) -> tuple[str, str]:
        """Cloud and region."""

    def check(self) -> None:
        """Raises NotReady where the cloud would not let us in."""

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        """Everything with the tag (and value), in the order of deletion. The tag
        `kubernetes.io/cluster/NAME` asks for all that the controllers of a cluster made."""

    def delete(self, thing: Thing) -> None:
        """Begins the deletion. Raises ColonyError with the cloud's words where it refuses."""


def inventory_of(cloud: str, region: str) -> Inventory:
    """Raises NotSupported for a cloud without an inventory, NotReady without its SDK."""
    if cloud not in CLOUDS:
        raise NotSupported(Problem("cloud", f"no inventory of `{cloud}` is built yet"))
    module = importlib.import_module(f"colony.inventory.{cloud}")
    found: Inventory = module.open_inventory(region)
    return found


def everywhere(cloud: str) -> list[Inventory]:
    """Of every region, for whoever knows nothing but that there may be something.

    Raises NotReady where the cloud would not let us in.
    """
    module = importlib.import_module(f"colony.inventory.{cloud}")
    found: list[Inventory] = module.everywhere()
    return found

"""Quotas as the real clouds tell them, asked before anything is attempted.

One module a cloud, imported when used; what a cloud does not tell, or nobody may ask, is unknown.
"""

from __future__ import annotations

import importlib

from colony.market.quotas import Quota
from colony.market.zones import Cell

__all__ = ["lookup"]

CLOUDS = ("aws",)


def lookup(cell: Cell) -> Quota | None:
    """None where it is not known."""
    if cell.cloud not in CLOUDS:
        return None
    found: Quota | None = importlib.import_module(f"colony.quotas.{cell.cloud}").lookup(cell)
    return found

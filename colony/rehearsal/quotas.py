"""The quotas of a world that it tells: the same answers as a cloud's quota service gives."""

from __future__ import annotations

from colony.market.quotas import Lookup, Quota
from colony.market.zones import Cell
from colony.rehearsal.faults import Faults

__all__ = ["told"]


def told(faults: Faults) -> Lookup:
    """The smallest quota that counts a machine; None where nothing is told of it."""

    def lookup(cell: Cell) -> Quota | None:
        holding = [
            rule
            for rule in faults.quotas
            if rule.told and rule.holds(cell.region, cell.instance_type)
        ]
        if not holding:
            return None
        least = min(holding, key=lambda rule: rule.nodes)
        return Quota(float(least.nodes), "nodes", least.instance, "this world's fault file")

    return lookup

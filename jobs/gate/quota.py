"""Kueue's quota for one queue, from its objects. Pure.

https://kueue.sigs.k8s.io/docs/concepts/cluster_queue/#quotas-and-cohorts
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jobs.amounts import quantity

__all__ = ["Quota", "quota_of"]

_NOTHING = Decimal(0)

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Quota:
    """Of one resource in one cluster queue, over all flavours."""

    queue: str
    nominal: Decimal
    borrowable: Decimal | None = _NOTHING
    """None = whatever others of the cohort leave."""
    used: Decimal = _NOTHING

    @property
    def limit(self) -> Decimal | None:
        """The most that can ever be admitted; None = no bound of its own."""
        return None if self.borrowable is None else self.nominal + self.borrowable


def quota_of(
    local_queues: Iterable[Object], cluster_queues: Iterable[Object], queue: str, resource: str,
    namespace: str = "default",
) -> Quota | None:  # fmt: skip
    """None where there is no such queue, or it does not cover the resource."""
    local = next((each for each in local_queues if _is(each, queue, namespace)), None)
    name = ((local or {}).get("spec") or {}).get("clusterQueue")
    found = next((each for each in cluster_queues if each["metadata"]["name"] == name), None)
    if found is None:
        return None
    rows = [
        row
        for group in (found.get("spec") or {}).get("resourceGroups") or []
        for flavor in group.get("flavors") or []
        for row in flavor.get("resources") or []
        if row.get("name") == resource
    ]
    if not rows:
        return None
    return Quota(
        str(name), _sum(rows, "nominalQuota"), _borrowable(found, rows), _used(found, resource)
    )


def _is(queue: Object, name: str, namespace: str) -> bool:
    metadata = queue["metadata"]
    return bool(metadata["name"] == name and metadata.get("namespace", "default") == namespace)


def _borrowable(queue: Object, rows: list[Object]) -> Decimal | None:
    """Nothing without a cohort; without a limit, anything."""
    spec = queue.get("spec") or {}
    if not (spec.get("cohortName") or spec.get("cohort")):
        return _NOTHING
    if any(row.get("borrowingLimit") is None for row in rows):
        return None
    return _sum(rows, "borrowingLimit")


def _used(queue: Object, resource: str) -> Decimal:
    """What admitted workloads have reserved."""
    flavors = (queue.get("status") or {}).get("flavorsReservation") or []
    rows = [r for flavor in flavors for r in flavor.get("resources") or [] if r["name"] == resource]
    return _sum(rows, "total")


def _sum(rows: Iterable[Object], field: str) -> Decimal:
    return sum((quantity(row.get(field) or 0) for row in rows), _NOTHING)

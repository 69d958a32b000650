"""Who is before whom: first come, first served, among those that want the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Waiter", "before"]


@dataclass(frozen=True)
class Waiter:
    """A job that waits for room, or did."""

    name: str
    created: str
    """Time, in Kubernetes' own form: later is greater."""
    uid: str
    cluster: str = ""
    wants: str = ""
    """What picks its nodes: the model of the GPUs, or a selector."""
    waiting: bool = True


def before(me: Waiter, others: Iterable[Waiter]) -> Waiter | None:
    """The oldest that waits for the same on the same cluster and came before; else None.

    Of two that came at the same time the lower UID is the older one.
    """
    older = [
        each
        for each in others
        if each.waiting
        and each.uid != me.uid
        and (each.cluster, each.wants) == (me.cluster, me.wants)
        and (each.created, each.uid) < (me.created, me.uid)
    ]
    return min(older, key=lambda each: (each.created, each.uid), default=None)

"""Whether this machine's clock is that of the backend, by which others wrote their leases.

A clock that is ahead would end a colony early, one that is behind would leave it to cost.
"""

from __future__ import annotations

from colony.lifecycle.ground import Ground
from jobs.errors import NotReady

__all__ = ["SKEW", "check_clock"]

SKEW = 60.0
"""Seconds by which the clocks of those who write and who read a lease may differ."""


def check_clock(ground: Ground) -> None:
    """Raises NotReady where it is off by more than SKEW. A world has its own time; and where the
    backend does not say what time it is, nothing is known."""
    if ground.simulated:
        return
    before = ground.now()
    there = ground.storage.now()
    if there is None:
        return
    ahead, behind = before - there, there - ground.now()
    if max(ahead, behind) <= SKEW:
        return
    off = f"{ahead:.0f} s ahead of" if ahead > behind else f"{behind:.0f} s behind"
    raise NotReady(
        f"this machine's clock is {off} that of {ground.storage.url}: by it no lease can be "
        "judged, so nothing was looked at; set the clock, and reap again"
    )

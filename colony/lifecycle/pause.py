"""Real waiting, in steps that a signal can come between."""

from __future__ import annotations

import time

__all__ = ["asleep"]

STEP = 0.25
"""Seconds; a signal that came during a wait is seen after this long."""


def asleep(seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(STEP, left))

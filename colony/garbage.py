"""When Python looks for garbage."""

from __future__ import annotations

import gc

__all__ = ["collect_less"]


def collect_less() -> None:
    """By default Python goes through all that the SDKs define, which stays for ever, hundreds of
    times while they are imported: a tenth of a rehearsal's CPU."""
    gc.set_threshold(50_000, 20, 50)

"""Ctrl-C and SIGTERM end a run, never its destroy."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from colony.lifecycle.ground import Ground, Tell

__all__ = ["Interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, the first signal cancels what runs; later ones only say why we stay."""

    what = "cancelled: destroying what was created"

    def __init__(self, ground: Ground, tell: Tell) -> None:
        self.cancelled = False
        self.ending = False
        """Set once the destroy has begun: from then on a signal changes nothing."""
        self._ground = ground
        self._tell = tell
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.cancelled or self.ending:
            self._tell("still destroying: leaving now would leave things that cost money")
            return
        self.cancelled = True
        self._tell(self.what)
        self._ground.engine.interrupt()

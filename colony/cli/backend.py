"""`--backend`: read once, by whoever opens a ground for the command."""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["chosen", "remembered"]

_CHOSEN: ContextVar[str] = ContextVar("backend", default="")


def remembered(value: str) -> str:
    """What the option's callback does; a command without that option forgets with empty text."""
    _CHOSEN.set(value)
    return value


def chosen() -> str:
    """Of the command that runs now; empty where it was not given."""
    return _CHOSEN.get()

"""A price list that is not taken."""

from __future__ import annotations

from jobs.errors import RunFailed

__all__ = ["Refused"]


class Refused(RunFailed):
    """What a source answered is not used; the prices known before stay."""

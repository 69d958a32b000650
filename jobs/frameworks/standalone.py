"""Standalone: every pod is a world of its own, and needs no service (`torchrun --standalone`)."""

from __future__ import annotations

from jobs.frameworks.base import DEFAULT_ROLE, Rules

__all__ = ["Standalone"]


class Standalone(Rules):
    """Only the role worker."""

    roles = (DEFAULT_ROLE,)
    required = (DEFAULT_ROLE,)
    alone = True

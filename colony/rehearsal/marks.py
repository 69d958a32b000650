"""The label that tells what a world has put into a real API server. Pure."""

from __future__ import annotations

import hashlib

__all__ = ["MARK", "mark_of"]

MARK = "colony.dev/world"


def mark_of(world: str, cluster: str) -> str:
    """Its value: one API server stands for every cluster of a world, and for many worlds."""
    return f"{world}.{hashlib.sha256(cluster.encode()).hexdigest()[:8]}"

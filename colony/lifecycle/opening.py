"""Which ground a command works on: a world's folder, or the real clouds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from colony.lifecycle.ground import Ground
from colony.storage.opening import refuse_missing

__all__ = ["open_ground"]


def open_ground(
    world: Path | None,
    backend: str,
    *,
    execute: bool = False,
    echo: Callable[[str], None] = print,
) -> AbstractContextManager[Ground]:
    """For what is there already. `backend`: empty = the world's own, or the environment's. The rest
    is a world's, as of `Simulated`. Raises InputError and NotReady."""
    if world:
        refuse_missing(backend)
        from colony.lifecycle.simulated import Simulated
        from colony.rehearsal.world import World

        return Simulated(World.open(world), execute=execute, echo=echo, backend=backend)
    from colony.lifecycle.real import Real

    return Real.reopen(backend)

"""A world served by a thread of this process, which has imported already what a server needs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from colony.lifecycle.simulated import Simulated
from colony.rehearsal.server import serve
from colony.rehearsal.world import World

__all__ = ["served"]


@contextmanager
def served(world: Path) -> Iterator[Simulated]:
    """The ground of a world whose server does not run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDKs' own, that its threads import
        yield from _served(world)


def _served(world: Path) -> Iterator[Simulated]:
    server = Thread(target=serve, args=(world,), daemon=True)
    server.start()
    while not (world / "server.json").exists():
        if not server.is_alive():
            raise RuntimeError("the world's server did not start")
        time.sleep(0.01)
    with Simulated(World.open(world)) as ground:
        yield ground
    server.join()

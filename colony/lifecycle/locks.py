"""A killed run leaves a lock and operations without an end: taken over when surely stale."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import psutil

from colony.lifecycle.ground import Tell
from jobs.errors import RunFailed

if TYPE_CHECKING:
    from colony.engine import Engine, Lock

__all__ = ["LONGEST_OPERATION", "alive", "attended", "is_stale", "take_over"]

LONGEST_OPERATION = 2 * 3600
"""Seconds. No create, update or delete of ours is allowed to take longer."""
PATIENCE = 30.0


def take_over(engine: Engine, stack: str, tell: Tell) -> bool:
    """Frees the stack of stale locks; waits a little for one that is held.

    Raises RunFailed when somebody is really at work on the stack.
    """
    deadline = time.monotonic() + PATIENCE
    left = engine.locks(stack)
    while held := [lock for lock in left if not is_stale(lock, time.time())]:
        if time.monotonic() > deadline:
            lock = held[0]
            raise RunFailed(
                f"{stack} is locked by {lock.user}@{lock.host} (pid {lock.pid}): wait for it, "
                f"or, when that process is surely gone, `pulumi cancel -s {stack}`"
            )
        time.sleep(0.2)
        left = engine.locks(stack)
    for lock in left:  # each by its own name: `pulumi cancel` would take those of others, too
        tell(f"taking over the lock that pid {lock.pid} left on {stack}")
        engine.release(lock)
    return bool(left)


def is_stale(lock: Lock, now: float) -> bool:
    """Its host is ours and its process is dead, or it is older than the longest operation."""
    if lock.host == socket.gethostname() and not alive(lock.pid):
        return True
    return now - lock.timestamp > LONGEST_OPERATION


def attended(runner: Mapping[str, Any] | None) -> bool:
    """Whether the command that runs a colony goes on; of another host's nobody here can say no."""
    if runner is None:
        return False
    here = runner["host"] == socket.gethostname()
    return not here or alive(int(runner["pid"]), runner.get("started"))


def alive(pid: int, started: float | None = None) -> bool:
    """Whether the process runs; with `started`, whether it is still the same one."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return started is None or abs(process.create_time() - started) < 2
    except psutil.NoSuchProcess:
        return False

"""A killed run leaves a lock and operations without an end: taken over when surely stale."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import psutil

from colony.lifecycle.ground import Tell
from jobs.errors import RunFailed

if TYPE_CHECKING:
    from colony.engine import Engine, Lock

__all__ = ["LONGEST_OPERATION", "alive", "is_stale", "take_over"]

LONGEST_OPERATION = 2 * 3600
"""Seconds. No create, update or delete of ours is allowed to take longer."""
PATIENCE = 30.0


def take_over(engine: Engine, stack: str, tell: Tell) -> bool:
    """Frees the stack of stale locks; waits a little for one that is held.

    Raises RunFailed when somebody is really at work on the stack.
    """
    deadline = time.monotonic() + PATIENCE
    found = engine.locks(stack)
    while any(not is_stale(lock, time.time()) for lock in engine.locks(stack)):
        if time.monotonic() > deadline:
            lock = found[0]
            raise RunFailed(
                f"{stack} is locked by {lock.user}@{lock.host} (pid {lock.pid}): wait for it, "
                f"or, when that process is surely gone, `pulumi cancel -s {stack}`"
            )
        time.sleep(0.2)
    if not engine.locks(stack):
        return False
    tell(f"taking over the lock that pid {found[0].pid} left on {stack}")
    engine.cancel(stack)
    return True


def is_stale(lock: Lock, now: float) -> bool:
    """Its host is ours and its process is dead, or it is older than the longest operation."""
    if lock.host == socket.gethostname() and not alive(lock.pid):
        return True
    return now - lock.timestamp > LONGEST_OPERATION


def alive(pid: int, started: float | None = None) -> bool:
    """Whether the process runs; with `started`, whether it is still the same one."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return started is None or abs(process.create_time() - started) < 2
    except psutil.NoSuchProcess:
        return False

"""Ends every process of an execution: by its owner, or when the owner dies without a word.

A process is recognised by a marker in its environment, which it passes on to whatever it starts,
sessions and daemons included. Run as a script (`watchdog.py MARKER`) it waits for the end of its
standard input, which the owner's death closes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

import psutil

__all__ = ["MARKER", "kill_all", "marked"]

MARKER = "COLONY_EXEC_ID"
SWEEPS = 500
PAUSE = 0.01


def marked(value: str) -> list[psutil.Process]:
    """The living processes of one execution, zombies aside."""
    return [process for process in psutil.process_iter() if _has(process, value)]


def kill_all(value: str) -> None:
    """SIGKILL until none is left: a process may start another one between two looks.

    Reaps nobody: the exit codes of children are their parents' business.
    """
    for _ in range(SWEEPS):
        processes = marked(value)
        if not processes:
            return
        for process in processes:
            _kill(process)
        time.sleep(PAUSE)


def _has(process: psutil.Process, value: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return process.environ().get(MARKER) == value
    except (psutil.Error, OSError):
        return False


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()


if __name__ == "__main__":
    sys.stdin.buffer.read()
    kill_all(sys.argv[1])

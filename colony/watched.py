"""Runs a command, tells what it printed while it runs, and never leaves it behind."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["OnTick", "watched"]

OnTick = Callable[[list[str], float], object]


def watched(
    argv: list[str],
    deadline: float,
    environment: dict[str, str],
    folder: Path | None = None,
    on_tick: OnTick | None = None,
) -> tuple[int, list[str]]:
    """Runs a command; `on_tick(lines, seconds)` each second. Killed with its children if late.

    Returns the exit code (124 when it was late) and what it printed.
    """
    child = subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=_pump, args=(child, said), daemon=True)
    reader.start()
    lines: list[str] = []
    began = time.monotonic()
    late = False
    try:
        while child.poll() is None and not (late := time.monotonic() - began > deadline):
            _wait(child, 1.0)
            _drain(said, lines)
            if on_tick:
                on_tick(lines, time.monotonic() - began)
    finally:
        _kill(child)
    reader.join(5)
    _drain(said, lines)
    return (124 if late else child.returncode), lines


def _pump(child: subprocess.Popen[str], said: queue.SimpleQueue[str]) -> None:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            said.put(line.rstrip("\n"))


def _drain(said: queue.SimpleQueue[str], lines: list[str]) -> None:
    while not said.empty():
        lines.append(said.get())


def _wait(child: subprocess.Popen[str], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def _kill(child: subprocess.Popen[str]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what it started may outlive it
    except ProcessLookupError:
        pass
    child.wait()

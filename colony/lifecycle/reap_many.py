"""Many colonies end side by side, in a few processes: none holds up another, and what goes wrong in
one ends with its process.

Each process (`reap_one.py`) ends one colony after the other, since only the first pays for what
Python has to import. One that dies, or takes too long, is followed by a new one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread, Timer
from typing import IO, Any

from colony.lifecycle.ground import Ground, Tell

__all__ = ["AT_ONCE", "DEADLINE", "side_by_side"]

AT_ONCE = max(2, min(8, os.cpu_count() or 2))
"""Each is a Python, a CLI and its providers: some 400 MB."""
PROGRAM = (sys.executable, "-m", "colony.lifecycle.reap_one")
DEADLINE = 2 * 3600.0
"""Seconds for one colony; whoever takes longer is killed, and the next look goes on."""


def side_by_side(ground: Ground, stacks: Sequence[str], tell: Tell) -> dict[str, dict[str, Any]]:
    """Stack -> its verdict, what its end found (or None), and why it failed."""
    waiting: SimpleQueue[str] = SimpleQueue()
    for stack in stacks:
        waiting.put(stack)
    found: dict[str, dict[str, Any]] = {}
    threads = [
        Thread(target=_work, args=(ground, waiting, found, tell))
        for _ in range(min(AT_ONCE, len(stacks)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:  # who interrupts us waits for what is under way, and for nothing more
        _emptied(waiting)
        for thread in threads:
            thread.join()
    return found


def _emptied(waiting: SimpleQueue[str]) -> None:
    while not waiting.empty():
        waiting.get()


def _work(
    ground: Ground, waiting: SimpleQueue[str], found: dict[str, dict[str, Any]], tell: Tell
) -> None:
    """Ends what waits, as long as something does."""
    worker = _Worker(ground, tell)
    try:
        while True:
            stack = waiting.get_nowait()
            found[stack] = worker.end(stack)
    except Empty:
        pass
    finally:
        worker.stop()


class _Worker:
    """A process that ends colonies, started when it is needed, and again after it died."""

    def __init__(self, ground: Ground, tell: Tell) -> None:
        self._command = [*PROGRAM, *ground.arguments()]
        self._tell = tell
        self._child: subprocess.Popen[str] | None = None
        self._said: IO[str] | None = None
        """Its stderr: what Python says when it dies."""

    def end(self, stack: str) -> dict[str, Any]:
        child = self._started()
        late: list[str] = []
        timer = Timer(DEADLINE, self._expire, [late])
        timer.daemon = True
        timer.start()
        try:
            answer = self._ask(child, stack)
        finally:
            timer.cancel()
        return answer or self._failed(stack, late)

    def stop(self) -> None:
        """It ends when it is asked for nothing more."""
        child, self._child = self._child, None
        if child and child.stdin and child.stdout and self._said:
            with suppress(BrokenPipeError):
                child.stdin.close()
            child.wait()
            child.stdout.close()
            self._said.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._child is None:
            self._said = tempfile.TemporaryFile("w+")
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
                text=True, start_new_session=True,
            )  # fmt: skip
        return self._child

    def _ask(self, child: subprocess.Popen[str], stack: str) -> dict[str, Any] | None:
        """Lines of what happens, then one of what came of it. None where the process died."""
        assert child.stdin and child.stdout
        with suppress(BrokenPipeError):
            child.stdin.write(f"{stack}\n")
            child.stdin.flush()
        for line in child.stdout:
            said = json.loads(line) if line.endswith("\n") else {"tell": "died in the middle"}
            if "verdict" in said:
                return dict(said)
            self._tell(said["tell"])
        return None

    def _expire(self, late: list[str]) -> None:
        late.append(f"it did not end within {DEADLINE:.0f} s")
        if self._child:
            os.killpg(self._child.pid, signal.SIGKILL)

    def _failed(self, stack: str, late: list[str]) -> dict[str, Any]:
        """The next colony gets another process."""
        assert self._child and self._said
        code = self._child.wait()
        self._said.seek(0)
        last = (self._said.read().strip().splitlines() or [f"exit code {code}"])[-1]
        self.stop()
        verdict = {"stack": stack, "action": "reap", "reason": "its end failed"}
        return {"verdict": verdict, "error": late[0] if late else last}

"""The processes of one attempt: started, listened to, stopped, and certainly gone afterwards.

A pod is its containers one after the other: what its init containers leave open, its main one
finds done. What an end means is for others to say.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from colony.rehearsal import watchdog
from colony.rehearsal.pods import LocalPod

__all__ = ["Gang", "OnLine", "running_gang"]

TICK = 0.05
LONGEST_LINE = 64 * 1024

OnLine = Callable[[str], None]
"""Gets each line as `[worker-0] text`."""


@contextlib.contextmanager
def running_gang(logs: Path, mode: str, on_line: OnLine) -> Iterator[Gang]:
    """Pods that are started in it are certainly gone afterwards, also when this process is killed.

    `mode` is that of the logs: `wb` or `ab`.
    """
    marker = f"{os.getpid()}-{time.monotonic_ns()}"
    guard = subprocess.Popen(
        [sys.executable, "-I", str(Path(watchdog.__file__)), marker],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    gang = Gang(logs, mode, on_line, marker)
    try:
        yield gang
    finally:
        watchdog.kill_all(marker)
        gang.close()
        guard.kill()
        guard.communicate()


@dataclass
class _Running:
    pod: LocalPod
    step: int
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    rest: bytes = b""

    @property
    def main(self) -> bool:
        """No init container is left."""
        return self.step == len(self.pod.steps) - 1


@dataclass
class Gang:
    """What runs, and what ended how."""

    logs: Path
    mode: str
    on_line: OnLine
    marker: str
    exit_codes: dict[str, int] = field(default_factory=dict)
    """Of the last end of each pod."""
    running: list[_Running] = field(default_factory=list)
    stopping: bool = False
    _all: list[_Running] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, pod: LocalPod, step: int = 0) -> None:
        """In a session of its own: no signal of the terminal reaches it."""
        process = subprocess.Popen(
            pod.steps[step].command,
            cwd=pod.cwd,
            env={**pod.steps[step].env, watchdog.MARKER: self.marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        again = any(each.pod.name == pod.name for each in self._all)
        log = (self.logs / f"{pod.name}.log").open("ab" if again else self.mode)
        running = _Running(pod, step, process, log)
        self.running.append(running)
        self._all.append(running)
        self._selector.register(process.stdout, selectors.EVENT_READ, running)

    def pump(self, timeout: float) -> list[tuple[LocalPod, int]]:
        """Pass on what was printed; the pods that ended meanwhile, with their exit codes."""
        for key, _ in self._selector.select(timeout):
            self._read(key.data)
        ended = [each for each in list(self.running) if each.process.poll() is not None]
        return [(each.pod, code) for each in ended if (code := self._ended(each)) is not None]

    def alive(self) -> set[str]:
        """The pods whose main container runs."""
        return {each.pod.name for each in self.running if each.main}

    def stop(self, grace: float, impatient: Callable[[], bool]) -> None:
        """SIGTERM to each entry point, as a kubelet does, then wait; leaving the gang kills."""
        self.stopping = True
        for each in self.running:
            each.process.terminate()
        end = time.monotonic() + grace
        while self.running and time.monotonic() < end and not impatient():
            self.pump(TICK)

    def close(self) -> None:
        """Everything is dead by now: collect exit codes and the last words."""
        for each in self.running:
            each.process.wait()
            self.exit_codes[each.pod.name] = _exit_code(each.process)
        for each in self._all:
            while self._read(each):
                pass
            if each.rest:
                self._line(each, each.rest)
            each.log.close()
            if each.process.stdout:
                each.process.stdout.close()
        self._selector.close()

    def _ended(self, each: _Running) -> int | None:
        """As when a container ends: what its script left running ends with it.

        None where the pod's next container has begun.
        """
        self.running.remove(each)
        _kill_session(each.process.pid)
        while self._read(each):
            pass
        code = _exit_code(each.process)
        if code == 0 and not each.main and not self.stopping:
            self.start(each.pod, each.step + 1)
            return None
        self.exit_codes[each.pod.name] = code
        return code

    def _read(self, each: _Running) -> bool:
        """One piece, so that a talkative pod cannot hold up the rest; False for nothing."""
        assert each.process.stdout is not None
        data = each.process.stdout.read(LONGEST_LINE)
        if data == b"" and each.process.stdout in self._selector.get_map():
            self._selector.unregister(each.process.stdout)
        if not data:
            return False
        each.log.write(data)
        each.log.flush()
        *lines, each.rest = (each.rest + data).split(b"\n")
        if len(each.rest) > LONGEST_LINE:
            lines, each.rest = [*lines, each.rest], b""
        for line in lines:
            self._line(each, line)
        return True

    def _line(self, each: _Running, line: bytes) -> None:
        self.on_line(f"[{each.pod.name}] {line.decode('utf-8', 'replace').rstrip()}")


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    code = process.returncode
    return 128 - code if code < 0 else code


def _kill_session(session: int) -> None:
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)

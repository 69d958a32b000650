"""The processes of one attempt: started, listened to, stopped, and certainly gone afterwards."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
def running_gang(
    pods: Sequence[LocalPod], logs: Path, mode: str, on_line: OnLine
) -> Iterator[Gang]:
    """Started pods that are certainly gone afterwards, also when this process is killed."""
    marker = f"{os.getpid()}-{time.monotonic_ns()}"
    guard = subprocess.Popen(
        [sys.executable, "-I", str(Path(watchdog.__file__)), marker],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    gang = Gang(logs, mode, on_line, marker)
    try:
        for pod in pods:
            gang.start(pod)
        yield gang
    finally:
        watchdog.kill_all(marker)
        gang.close()
        guard.kill()
        guard.communicate()


@dataclass
class _Running:
    pod: LocalPod
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    rest: bytes = b""


@dataclass
class Gang:
    """What runs, what ended how, and who failed first."""

    logs: Path
    mode: str
    on_line: OnLine
    marker: str
    exit_codes: dict[str, int] = field(default_factory=dict)
    first_failed: str | None = None
    running: list[_Running] = field(default_factory=list)
    _all: list[_Running] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def start(self, pod: LocalPod) -> None:
        """In a session of its own: no signal of the terminal reaches it."""
        process = subprocess.Popen(
            pod.command,
            cwd=pod.cwd,
            env={**pod.env, watchdog.MARKER: self.marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        log = (self.logs / f"{pod.name}.log").open(self.mode)
        running = _Running(pod, process, log)
        self.running.append(running)
        self._all.append(running)
        self._selector.register(process.stdout, selectors.EVENT_READ, running)

    def pump(self, timeout: float) -> None:
        """Pass on what was printed, and take note of who ended."""
        for key, _ in self._selector.select(timeout):
            self._read(key.data)
        for each in list(self.running):
            if each.process.poll() is not None:
                self._ended(each)

    def stop(self, grace: float, impatient: Callable[[], bool]) -> None:
        """SIGTERM to each entry point, as a kubelet does, then wait; leaving the gang kills."""
        for each in self.running:
            each.process.terminate()
        end = time.monotonic() + grace
        while self.running and time.monotonic() < end and not impatient():
            self.pump(TICK)

    def message(self) -> str:
        """The termination message of the first pod that failed."""
        for each in self._all:
            if each.pod.name == self.first_failed and each.pod.termination_log.exists():
                return each.pod.termination_log.read_text(encoding="utf-8", errors="replace")
        return ""

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

    def _ended(self, each: _Running) -> None:
        """As when a container ends: what its script left running ends with it."""
        self.running.remove(each)
        _kill_session(each.process.pid)
        code = self.exit_codes[each.pod.name] = _exit_code(each.process)
        if code and self.first_failed is None:
            self.first_failed = each.pod.name

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

"""Runs the Pulumi CLI: one child at a time, in a session of its own, under a deadline.

The child does not share our process group. A terminal's Ctrl-C would otherwise reach it twice,
from the terminal and from us, and two interrupts make the engine abandon the operations that are
under way instead of finishing them. So exactly one interrupt is passed on, by `interrupt()` or by
a KeyboardInterrupt in `run()`. A second one, or the end of the grace, abandons; after that the
whole session is killed, provider plugins included.

If *this* process is killed, the child finds its inline program gone and ends by itself; a destroy
needs no program and runs to its end, holding the stack's lock until then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jobs.errors import RunFailed

__all__ = ["CliFailed", "Result", "Runner"]

OnLine = Callable[[str], object]

GRACE = 600.0
"""Seconds that an interrupted engine has to finish what is under way."""
ABANDON = 20.0
"""Seconds from the second interrupt to the kill."""
TICK = 1.0
"""How often a deadline is looked at; a signal handler may set one while we wait."""


@dataclass(frozen=True)
class Result:
    """What a finished CLI call printed."""

    stdout: str
    stderr: str
    code: int


class CliFailed(RunFailed):
    """The CLI ended with an error; `result` is what it printed."""

    def __init__(self, args: list[str], result: Result, stopped: str = "") -> None:
        self.result = result
        self.stopped = stopped
        """"" · "interrupted" · "timed out" · "stalled"."""
        command = next((word for word in args if not word.startswith("-")), "")
        super().__init__(f"pulumi {command}: {_said(result)}")


class Runner:
    """What the Automation API calls to run the CLI, with our environment and nothing else's.

    `environment` is complete: nothing of this process's own environment is added to it.
    """

    def __init__(self, executable: Path, version: str, environment: Mapping[str, str]) -> None:
        self.command = str(executable)
        self.environment = dict(environment)
        self.timeout: float | None = None
        self.stalled: Callable[[], bool] | None = None
        """Asked now and then whether the command will never end by itself."""
        self._version = version
        self._process: subprocess.Popen[str] | None = None
        self._stopped = ""
        self._interrupts = 0
        self._deadline: float | None = None

    @property
    def version(self) -> object:
        """As the SDK wants it."""
        from semver import VersionInfo

        return VersionInfo.parse(self._version)

    @property
    def pid(self) -> int | None:
        """The process id of the CLI that is running now, if one is."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnLine | None = None,
        on_error: OnLine | None = None,
        stdin: str | None = None,
    ) -> Result:
        """Runs one command to its end. Raises `CliFailed` for an exit code other than 0."""
        self._stopped, self._interrupts = "", 0
        child = self._start([self.command, "--non-interactive", *args], cwd, additional_env)
        try:
            threads = (
                _Reader(child.stdout, on_output),
                _Reader(child.stderr, on_error),
                _feed(child.stdin, stdin),
            )
            self._wait(child)
        finally:
            self._end(child)
        out, err, _ = threads
        for thread in threads:
            thread.join(5)
        result = Result(out.text(), err.text(), child.returncode)
        if result.code or self._stopped:
            raise CliFailed(args, result, self._stopped)
        return result

    def interrupt(self) -> None:
        """Asks the running CLI to stop: once, it finishes what is under way; twice, it abandons.

        Without effect between two calls: whoever interrupts keeps a note of its own.
        """
        if self.pid is not None:
            self._signal("interrupted")

    def _start(
        self, argv: list[str], cwd: str, additional_env: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**self.environment, **additional_env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        return self._process

    def _wait(self, child: subprocess.Popen[str]) -> None:
        self._deadline = time.monotonic() + self.timeout if self.timeout else None
        while True:
            try:
                child.wait(TICK)
                return
            except subprocess.TimeoutExpired:
                if self._deadline and time.monotonic() > self._deadline:
                    self._signal("timed out")
                elif not self._interrupts and self.stalled and self.stalled():
                    self._signal("stalled")
            except KeyboardInterrupt:
                self._signal("interrupted")

    def _signal(self, why: str) -> None:
        self._stopped = self._stopped or why
        process = self._process
        if process is None or process.poll() is not None:
            return
        self._interrupts += 1
        self._deadline = time.monotonic() + (GRACE if self._interrupts < 2 else ABANDON)
        if self._interrupts < 3:
            process.send_signal(signal.SIGINT)
        else:
            _kill(process)

    def _end(self, child: subprocess.Popen[str]) -> None:
        """Only an exception of ours on its way up finds the child alive here."""
        if child.poll() is not None:
            return
        child.send_signal(signal.SIGINT)
        try:
            child.wait(ABANDON)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass
        _kill(child)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()


def _kill(child: subprocess.Popen[str]) -> None:
    """With the plugins that it started: they are of its session."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def _said(result: Result) -> str:
    if result.code < 0:
        return f"killed by signal {-result.code}"
    said = result.stderr.strip() or result.stdout.strip()
    return said[-2000:] or f"exit code {result.code}"


class _Reader(threading.Thread):
    """Collects one of the child's streams, line by line."""

    def __init__(self, stream: IO[str] | None, on_line: OnLine | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream, self._on_line, self._lines = stream, on_line, list[str]()
        self.start()

    def run(self) -> None:
        with self._stream:
            self._read()

    def _read(self) -> None:
        for line in self._stream:
            self._lines.append(line.rstrip("\n"))
            if self._on_line:
                self._on_line(self._lines[-1])

    def text(self) -> str:
        return "\n".join(self._lines)


def _feed(stream: IO[str] | None, text: str | None) -> threading.Thread:
    def write() -> None:
        assert stream is not None
        try:
            with stream:
                stream.write(text or "")
        except BrokenPipeError:
            pass  # it did not care to read

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread

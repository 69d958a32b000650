"""Processes of the test bed: each has a log, a port from here, and none outlives us."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Container, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

__all__ = ["Child", "ChildError", "answers", "free_ports", "wait_until"]

LEASH = Path(__file__).with_name("leash.py")
PORTS = range(20000, 32000)
"""Below the ports that the kernel gives to outgoing connections and to others who ask for any."""
STOP_DEADLINE = 10.0


class ChildError(Exception):
    """A process of the test bed ended, or was not ready in time; says its last words."""


class Child:
    """A process in a group of its own that dies with us."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
        clean: bool = False,
    ) -> None:
        """`clean`: it sees nothing of our environment but PATH."""
        ours = {"PATH": os.environ.get("PATH", "")} if clean else os.environ
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", LEASH, str(os.getpid()), *argv],
                env={**ours, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def said(self, text: str) -> bool:
        """Whether its log holds that text."""
        return text in self.log.read_text(errors="replace")

    def last_words(self, lines: int = 15) -> str:
        said = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(line[:400] for line in said)

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Raises ChildError when it ends first, or is late."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running():
                code = self._process.returncode
                raise ChildError(f"{self.name} ended with {code}:\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise ChildError(
                    f"{self.name} is not ready after {seconds:.0f} s:\n{self.last_words()}"
                )
            time.sleep(0.05)

    def stop(self, kindly: bool = True) -> None:
        """Asks it to end, waits, kills its group. Does nothing when it ended already."""
        if kindly and self.is_running():
            self._process.terminate()
            try:
                self._process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def answers(
    url: str, context: ssl.SSLContext | None = None, wanted: Container[int] = (200,)
) -> bool:
    """Whether it answers so; no proxy of the environment stands between us and loopback."""
    secure = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), secure)
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.status in wanted
    except HTTPError as error:
        return error.code in wanted
    except (OSError, ValueError, HTTPException):  # URLError is an OSError
        return False


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens now, on any address of this machine."""
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    return found


def wait_until(what: Callable[[], bool], seconds: float, message: str) -> None:
    """Polls; raises ChildError with the message when it is late."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise ChildError(f"{message}, not after {seconds:.0f} s")
        time.sleep(0.05)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True

"""The way to a world's server: started where none runs, asked as JSON over gRPC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from colony.rehearsal.users import User
from jobs.errors import NotReady, RunFailed

__all__ = ["Link", "Refused"]

START_SECONDS = 30.0
CALL_SECONDS = 60.0
LONG_SECONDS = 300.0
"""For what may have to wait for a real API server."""
LONG = ("delete", "delete_object", "put_object")
POLL_SECONDS = 0.02
GONE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
"""CANCELLED: it was ended in the middle of our question."""
METHOD = "/colony.World/Call"


class Refused(RunFailed):
    """The simulated cloud says no. `code` is the vendor's."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Link:
    """One client of the server of the world in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._channel: Any = None
        self._user = User(folder)

    def ask(self, method: str, **arguments: Any) -> Any:
        """Starts the server where it is gone. Raises Refused, NotReady, RunFailed."""
        seconds = LONG_SECONDS if method in LONG else CALL_SECONDS
        try:
            return self._try(method, arguments, seconds)
        except NotReady:
            self._hang_up()
            self.start()
            return self._try(method, arguments, seconds)

    def server(self) -> dict[str, Any] | None:
        """`{"pid", "ports", "control"}`, if that process lives."""
        try:
            found = dict(json.loads((self._folder / "server.json").read_text()))
            os.kill(int(found["pid"]), 0)
        except (OSError, ValueError, KeyError):
            return None
        return found

    def start(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Starts the server or finds the one that runs. Raises NotReady where it does not come.

        `meanwhile` is done while it comes up.
        """
        self._user.join()
        if self._answers():
            return
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self._spawn()  # a second one ends by itself: the folder has a lock
            meanwhile()
            if self._comes(min(deadline, time.monotonic() + START_SECONDS / 2)):
                return
        log = self._folder / "logs" / "server.log"
        raise NotReady(f"the world's server did not start: see {log}")

    def stop(self) -> None:
        """Leaves the server. The last of its users ends it, and waits until it is gone."""
        with self._user.leaving() as last:
            if last:
                self._end()
            self._hang_up()

    def close(self) -> None:
        """Leaves the server, which goes on."""
        self._hang_up()
        self._user.leave()

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def _end(self) -> None:
        try:
            self._ask("stop", {}, CALL_SECONDS)
        except NotReady:
            return
        deadline = time.monotonic() + CALL_SECONDS
        while self.server() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _try(self, method: str, arguments: Mapping[str, Any], seconds: float = CALL_SECONDS) -> Any:
        self._user.join()
        return self._ask(method, arguments, seconds)

    def _ask(self, method: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        import grpc

        request = json.dumps({"method": method, "args": arguments}).encode()
        try:
            answer = self._call()(request, timeout=seconds)
        except grpc.RpcError as error:
            if error.code().name in GONE:
                raise NotReady("the world's server does not answer") from None
            raise RunFailed(f"the world's server failed: {error.details()}") from None
        found = json.loads(answer)
        if refused := found.get("refused"):
            raise Refused(refused["code"], refused["message"])
        return found["ok"]

    def _call(self) -> Any:
        import grpc

        if self._channel is None:
            server = self.server()
            if server is None:
                raise NotReady("the world's server does not run")
            self._channel = grpc.insecure_channel(
                f"127.0.0.1:{server['control']}", options=[("grpc.max_receive_message_length", -1)]
            )
        return self._channel.unary_unary(METHOD)

    def _comes(self, until: float) -> bool:
        while time.monotonic() < until:
            if self._answers():
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _answers(self) -> bool:
        if self.server() is None:
            return False
        try:
            return bool(self._try("ping", {}, seconds=2.0))
        except NotReady:
            self._hang_up()
            return False

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "colony.rehearsal.server", str(self._folder), "--detach"]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, env=_environment())


def _environment() -> dict[str, str]:
    """No credentials, no cluster: the server needs none and must not be able to use any."""
    kept = ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}

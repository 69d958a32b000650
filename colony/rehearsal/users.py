"""Who uses a world's server: the last one to leave ends it, whoever started it.

Each user holds a shared lock on a file of the world. The kernel takes it away with the process,
however that ends, so nobody who is dead is ever waited for.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import NotReady

__all__ = ["User"]

FILE = "users.lock"
SECONDS = 150.0
"""Longer than an end of the server may take."""
POLL_SECONDS = 0.02


class User:
    """One of those who use the server of the world in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._held: int | None = None

    def __del__(self) -> None:
        self.leave()

    def join(self) -> None:
        """Waits for a last one who is just ending the server. Raises NotReady where it hangs."""
        if self._held is not None:
            return
        file, deadline = self._open(), time.monotonic() + SECONDS
        while not _locked(file, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                os.close(file)
                raise NotReady(f"somebody has been ending the world's server for {SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        self._held = file

    def leave(self) -> None:
        """Whoever else there is."""
        if self._held is not None:
            os.close(self._held)
        self._held = None

    @contextmanager
    def leaving(self) -> Iterator[bool]:
        """Whether this is the last one. As long as it is left open nobody new comes."""
        if self._held is None:
            self._held = self._open()
        try:
            yield _locked(self._held, fcntl.LOCK_EX)
        finally:
            self.leave()

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Who uses a world's server: the last one to leave ends it, whoever started it.

Each user holds a shared lock on a file of the world. The kernel takes it away with the process,
however that ends, so nobody who is dead is ever waited for.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["User"]

FILE = "users.lock"


class User:
    """One of those who use the server of the world in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._held: int | None = None

    def __del__(self) -> None:
        self.leave()

    def join(self) -> None:
        """Waits for a last one who is just ending the server; that has a deadline of its own."""
        if self._held is None:
            file = self._open()
            fcntl.flock(file, fcntl.LOCK_SH)
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
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            last = True
        except OSError:
            last = False
        try:
            yield last
        finally:
            self.leave()

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)

"""A folder of this machine, or one that several share."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from colony.storage.base import ABSENT, Conflict, Stored

__all__ = ["Folder", "write_atomic"]

LOCK = ".writing"


class Folder:
    """Files under `root`. Conditional writes take turns by a lock of the operating system, which
    ends with whoever held it."""

    durable = True
    remote = False

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.url = f"file://{self.root}"

    def now(self) -> float | None:
        """Of a file that is written now: a folder that several share has its server's clock."""
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.root) as file:
            file.write(b".")
            file.flush()
            return os.fstat(file.fileno()).st_mtime

    def read(self, key: str) -> Stored | None:
        try:
            data = (self.root / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stored(data, _version(data))

    def write(self, key: str, data: bytes, expected: str | None = None) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if expected is None:
            write_atomic(path, data)
            return
        with _turn(path.parent):
            found = self.read(key)
            if (found.version if found else ABSENT) != expected:
                raise Conflict(f"{key} was written by somebody else meanwhile")
            write_atomic(path, data)

    def keys(self, prefix: str) -> list[str]:
        above = self.root / prefix.rpartition("/")[0]
        found = (path for path in above.rglob("*") if path.is_file() and not _hidden(path))
        names = (path.relative_to(self.root).as_posix() for path in found)
        return sorted(name for name in names if name.startswith(prefix))

    def folders(self, prefix: str) -> list[str]:
        try:
            found = [path for path in (self.root / prefix).iterdir() if path.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(path.name for path in found if any(path.iterdir()) and not _hidden(path))

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def append(self, key: str, line: bytes) -> None:
        """In one write: neither a kill nor a second writer cuts it in two."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:
            file.write(line + b"\n")

    def lines(self, key: str) -> list[bytes]:
        found = self.read(key)
        return found.data.splitlines() if found else []


def write_atomic(path: Path, data: bytes) -> None:
    """A killed writer leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hidden(path: Path) -> bool:
    """What is being written."""
    return path.name.startswith(".")


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""The stack's config file, kept beside its records: whoever ends or extends a colony elsewhere has
nothing but the backend. Its secrets are as encrypted there as in the file."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from colony.records import PROJECT
from colony.storage.base import Storage
from colony.storage.folder import write_atomic
from jobs.data import parse

__all__ = ["StackFiles", "plain_config"]

_ASK = ("secure:", "environment:")
"""Of a file that the CLI has to be asked about: what is secret, what is taken from elsewhere."""


def plain_config(project_dir: Path, stack: str) -> dict[str, str] | None:
    """The stack's own values as `pulumi config` shows them; None where the CLI has to be asked.

    The CLI takes a third of a second to read the same file.
    """
    try:
        text = _file_of(project_dir, stack).read_text()
    except OSError:
        return None
    if any(word in text for word in _ASK):
        return None
    found = (parse(text) or {}).get("config") or {}
    return {key: each if isinstance(each, str) else json.dumps(each) for key, each in found.items()}


class StackFiles:
    """Those of one project folder. A file that was changed by hand is this machine's own, and
    stays; one that is as it was kept or fetched last gives way to what others have kept since."""

    def __init__(self, project_dir: Path, storage: Storage) -> None:
        self._project = Path(project_dir)
        self._storage = storage
        self._asked: set[str] = set()

    def fetch(self, stack: str) -> None:
        """Asks the backend once, and again where the file is gone. Where others have ended that
        stack, what is known of it goes: the next of that name must not begin with it."""
        path = self._path(stack)
        if path.exists() and (stack in self._asked or not self._untouched(stack)):
            return
        self._asked.add(stack)
        if found := self._storage.read(_key(stack)):
            write_atomic(path, found.data)
            self._mark(stack)
        else:
            path.unlink(missing_ok=True)
            self._seen(stack).unlink(missing_ok=True)

    def keep(self, stack: str) -> None:
        path = self._path(stack)
        if path.exists():
            self._storage.write(_key(stack), path.read_bytes())
            self._mark(stack)

    def forget(self, stack: str) -> None:
        """The next stack of that name has another."""
        self._storage.delete(_key(stack))
        self._seen(stack).unlink(missing_ok=True)

    def _untouched(self, stack: str) -> bool:
        seen = self._seen(stack)
        return seen.exists() and seen.read_text() == _digest(self._path(stack).read_bytes())

    def _mark(self, stack: str) -> None:
        write_atomic(self._seen(stack), _digest(self._path(stack).read_bytes()).encode())

    def _seen(self, stack: str) -> Path:
        """What the backend and this file last agreed on."""
        return self._storage.root / "configs" / _digest(str(self._path(stack).absolute()).encode())

    def _path(self, stack: str) -> Path:
        return _file_of(self._project, stack)


def _file_of(project_dir: Path, stack: str) -> Path:
    found = parse((project_dir / "Pulumi.yaml").read_text())
    folder = (found or {}).get("stackConfigDir") or "."
    return project_dir / str(folder) / f"Pulumi.{stack}.yaml"


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _key(stack: str) -> str:
    return f".colony/{PROJECT}/{stack}/config.yaml"

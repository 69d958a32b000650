"""The stack's config file, kept beside its records: whoever ends or extends a colony elsewhere has
nothing but the backend. Its secrets are as encrypted there as in the file."""

from __future__ import annotations

from pathlib import Path

import yaml

from colony.records import PROJECT
from colony.storage.base import Storage
from colony.storage.folder import write_atomic

__all__ = ["StackFiles"]


class StackFiles:
    """Those of one project folder. A file that is there is this machine's own, and stays."""

    def __init__(self, project_dir: Path, storage: Storage) -> None:
        self._folder = Path(project_dir, _config_folder(Path(project_dir)))
        self._storage = storage

    def fetch(self, stack: str) -> None:
        path = self._path(stack)
        if not path.exists() and (found := self._storage.read(_key(stack))):
            write_atomic(path, found.data)

    def keep(self, stack: str) -> None:
        path = self._path(stack)
        if path.exists():
            self._storage.write(_key(stack), path.read_bytes())

    def forget(self, stack: str) -> None:
        """The next stack of that name has another."""
        self._storage.delete(_key(stack))

    def _path(self, stack: str) -> Path:
        return self._folder / f"Pulumi.{stack}.yaml"


def _config_folder(project_dir: Path) -> str:
    found = yaml.safe_load((project_dir / "Pulumi.yaml").read_text())
    return str((found or {}).get("stackConfigDir") or ".")


def _key(stack: str) -> str:
    return f".colony/{PROJECT}/{stack}/config.yaml"

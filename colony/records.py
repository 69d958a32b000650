"""What outlives a colony: lease, completion, receipt, code and logs, beside the backend's state.

<root>/.colony/<project>/<stack>/{lease,completion,receipt,clusters}.json
<root>/.colony/<project>/<stack>/{code,logs}/
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.lease import Lease

__all__ = ["PROJECT", "Records", "stacks_with_records", "write_json"]

PROJECT = "colony"


@dataclass(frozen=True)
class Records:
    """The records of one stack under a file backend's root folder."""

    root: Path
    stack: str
    project: str = PROJECT

    @property
    def folder(self) -> Path:
        return self.root / ".colony" / self.project / self.stack

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def read(self, name: str) -> dict[str, Any] | None:
        """`lease`, `completion`, `receipt`, ...; None where it was never written."""
        try:
            value = json.loads((self.folder / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: dict[str, Any]) -> Path:
        return write_json(self.folder / f"{name}.json", value)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def lease(self) -> Lease | None:
        value = self.read("lease")
        return Lease.model_validate(value) if value else None

    def places(self) -> list[tuple[str, str]]:
        """(cloud, region) of every cluster that the colony was placed in."""
        found = (self.read("clusters") or {}).get("places", [])
        return [(cloud, region) for cloud, region in found]

    def keep_code(self, job: str, sha256: str, data: bytes) -> Path:
        """Stores a job's archive once, named by its content."""
        path = self.folder / "code" / f"{job}-{sha256[:16]}.tar.gz"
        if not path.exists():
            _write_atomic(path, data)
        return path


def stacks_with_records(root: Path, project: str = PROJECT) -> list[str]:
    """The stacks that ever had a lease on this backend, by name."""
    folder = root / ".colony" / project
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def write_json(path: Path, value: dict[str, Any]) -> Path:
    """Writes atomically: a killed writer leaves the old file or the new one."""
    _write_atomic(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())
    return path


def _write_atomic(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)

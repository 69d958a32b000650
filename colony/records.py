"""What outlives a colony: lease, completion, receipt, code and logs, beside the backend's state.

.colony/<project>/<stack>/{lease,completion,receipt,clusters}.json
.colony/<project>/<stack>/events.jsonl        appended to, of all lives of that name
.colony/<project>/<stack>/receipts/<unix seconds of the lease>.json
.colony/<project>/<stack>/{code,logs}/

These are keys of the backend's own storage (`colony.storage`): a folder, a bucket, a stack's tags.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colony.storage.base import ABSENT, Conflict, Storage, change
from colony.storage.folder import write_atomic
from components.lease import Lease

__all__ = ["PROJECT", "Records", "lease_in", "stacks_with_records"]

PROJECT = "colony"
NOTES = ("ending", "kept")
"""What a lease's record says beside the lease: its end has begun, somebody holds it."""


@dataclass(frozen=True)
class Records:
    """The records of one stack in a backend's storage."""

    storage: Storage
    stack: str
    project: str = PROJECT

    @property
    def folder(self) -> Path:
        """For what must be a file; where the storage is no folder, `publish` copies it there."""
        return self.storage.root / self._key("").rstrip("/")

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def read(self, name: str) -> dict[str, Any] | None:
        """`lease`, `completion`, `receipt`, ...; None where it was never written."""
        found = self.storage.read(self._key(f"{name}.json"))
        value = json.loads(found.data) if found else None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: dict[str, Any]) -> None:
        self.storage.write(self._key(f"{name}.json"), _text(value))

    def change(self, name: str, to: Callable[[dict[str, Any] | None], dict[str, Any]]) -> None:
        """Over nobody's head: where somebody has written meanwhile, `to` is asked again."""
        change(
            self.storage,
            self._key(f"{name}.json"),
            lambda data: _text(to(_object(data) if data is not None else None)),
        )

    def remove(self, *names: str) -> None:
        for name in names:
            self.storage.delete(self._key(f"{name}.json"))

    def append(self, name: str, line: dict[str, Any]) -> None:
        """One line of JSON: neither a kill nor a second writer cuts it in two."""
        self.storage.append(self._key(f"{name}.jsonl"), json.dumps(line, sort_keys=True).encode())

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What was appended, in order; a line that a full disk cut short is left out."""
        found = self.storage.lines(self._key(f"{name}.jsonl"))
        return [value for line in found if (value := _object(line))]

    def write_receipt(self, receipt: dict[str, Any]) -> None:
        """The last one of that name, and kept for good: a name may be used again."""
        lease = self.lease()
        self.write("receipt", receipt)
        if lease:
            self.write(f"receipts/{lease.created}", {**receipt, "created": lease.created})

    def closing(self) -> dict[str, Any] | None:
        """The receipt of the lease that is here, where nothing was left of that life."""
        lease = self.lease()
        found = self.read(f"receipts/{lease.created}") if lease else None
        return found if found and found.get("clean") else None

    def receipts(self) -> list[dict[str, Any]]:
        """Of every life of that name, the oldest first."""
        found = [Path(key).stem for key in self.storage.keys(self._key("receipts/"))]
        return [value for created in sorted(found, key=int)
                if (value := self.read(f"receipts/{created}"))]  # fmt: skip

    def lease(self) -> Lease | None:
        value = self.read("lease")
        return lease_in(value) if value else None

    def claim(self, seen: dict[str, Any] | None, now: float) -> bool:
        """Notes in the lease that the end begins, if it still says what was decided by. From then
        on nobody can make it longer; where somebody has meanwhile, False."""

        def ending(value: dict[str, Any] | None) -> dict[str, Any]:
            if _unclaimed(value) != _unclaimed(seen):
                raise Conflict(f"the lease of {self.stack} was changed meanwhile")
            return {"ending": round(now), **(value or {})}

        if not seen:
            return True
        try:
            self.change("lease", ending)
        except Conflict:
            return False
        return True

    def places(self) -> list[tuple[str, str]]:
        """(cloud, region) of every cluster that the colony was placed in."""
        found = (self.read("clusters") or {}).get("places", [])
        return [(cloud, region) for cloud, region in found]

    def keep_code(self, job: str, sha256: str, data: bytes) -> Path:
        """Stores a job's archive once, named by its content."""
        name = f"code/{job}-{sha256[:16]}.tar.gz"
        path = self.folder / name
        if not path.exists():
            write_atomic(path, data)
        if self.storage.remote:
            with suppress(Conflict):
                self.storage.write(self._key(name), data, ABSENT)
        return path

    def publish(self, *names: str) -> None:
        """Copies files, and those in folders, from `folder` to a storage that is none."""
        if not self.storage.remote:
            return
        for path in sorted(each for name in names for each in _files(self.folder / name)):
            name = path.relative_to(self.folder).as_posix()
            self.storage.write(self._key(name), path.read_bytes())

    def fetch(self, name: str) -> Path:
        """The other way round: what this machine does not have yet, below `folder`."""
        if self.storage.remote:
            start = len(self._key(""))
            for key in self.storage.keys(self._key(name)):
                path = self.folder / key[start:]
                if not path.exists() and (found := self.storage.read(key)):
                    write_atomic(path, found.data)
        return self.folder / name

    def _key(self, name: str) -> str:
        return f".colony/{self.project}/{self.stack}/{name}"


def stacks_with_records(storage: Storage, project: str = PROJECT) -> list[str]:
    """The stacks that ever had a lease on this backend, by name."""
    return storage.folders(f".colony/{project}/")


def lease_in(record: dict[str, Any]) -> Lease:
    """Without the notes beside it."""
    return Lease.model_validate({k: value for k, value in record.items() if k not in NOTES})


def _unclaimed(value: dict[str, Any] | None) -> dict[str, Any]:
    return {key: each for key, each in (value or {}).items() if key != "ending"}


def _text(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _files(there: Path) -> list[Path]:
    return [there] if there.is_file() else [path for path in there.rglob("*") if path.is_file()]

"""What every storage does. Two reapers may be at work at once: so a write may have a condition.

A key is a path with slashes; its value is bytes. A version says which value was read: an ETag, a
generation, a hash. Whoever writes with the version that he has read fails with `Conflict` when
somebody else was faster, and reads again.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from jobs.errors import RunFailed

__all__ = [
    "ABSENT",
    "Bucket",
    "Conflict",
    "Missing",
    "Storage",
    "Stored",
    "Unavailable",
    "Unproven",
    "change",
    "seconds_of",
]

ABSENT = ""
"""The version of what is not there."""
TRIES = 20
"""Of one change. Each that fails means that another writer has succeeded."""


class Conflict(RunFailed):
    """Somebody else has written it since it was read."""


class Unavailable(RunFailed):
    """The backend does not answer, or not in time: what it knows is unknown."""


class Unproven(RunFailed):
    """The backend has stopped answering before the end was proven: something may be left."""

    exit_code = 4


@dataclass(frozen=True)
class Stored:
    """A value, and its version."""

    data: bytes
    version: str


class Storage(Protocol):
    """Raises InputError where the bucket is not there, NotReady where it does not let us in,
    Unavailable where it does not answer."""

    url: str
    durable: bool
    """Records outlive their stack, and may be of any size."""
    remote: bool
    """Its keys are no files under `root`: what must be a file is copied."""
    root: Path
    """A folder of this machine."""

    def read(self, key: str) -> Stored | None:
        """None where there is nothing."""

    def write(self, key: str, data: bytes, expected: str | None = None) -> None:
        """Whole or not at all. `expected`: only over that version, ABSENT = only where nothing is;
        None = over whatever is there. Raises Conflict."""

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin so, sorted."""

    def folders(self, prefix: str) -> list[str]:
        """Names of what is right below a prefix, which ends with a slash, and has keys below it;
        sorted. Those keys are not listed for it."""

    def delete(self, key: str) -> None:
        """What is gone already is fine."""

    def append(self, key: str, line: bytes) -> None:
        """One line; neither a kill nor a second writer cuts it in two."""

    def lines(self, key: str) -> list[bytes]:
        """What was appended, in the order of its time."""

    def now(self) -> float | None:
        """Unix seconds by the backend's own clock, give or take one; None where it does not say."""


class Missing(RunFailed):
    """Nothing has this key."""


class Bucket(ABC):
    """A storage of objects. Nothing can be appended to one: each line is an object, named by its
    time."""

    url: str
    durable = True
    remote = True

    @cached_property
    def root(self) -> Path:
        """A folder of this user for this backend alone."""
        return Path.home() / ".colony" / "backends" / sha256(self.url.encode()).hexdigest()[:16]

    @abstractmethod
    def now(self) -> float | None:
        """As in `Storage`."""

    @abstractmethod
    def _get(self, key: str) -> Stored:
        """Raises Missing."""

    @abstractmethod
    def _put(self, key: str, data: bytes, expected: str | None) -> None:
        """Raises Conflict, or Missing where a version is expected and nothing is there."""

    @abstractmethod
    def _list(self, prefix: str) -> Iterable[str]: ...

    @abstractmethod
    def _list_folders(self, prefix: str) -> Iterable[str]:
        """Their whole prefixes, with a slash at the end."""

    @abstractmethod
    def _remove(self, key: str) -> None:
        """May raise Missing."""

    def read(self, key: str) -> Stored | None:
        try:
            return self._get(key)
        except Missing:
            return None

    def write(self, key: str, data: bytes, expected: str | None = None) -> None:
        try:
            self._put(key, data, expected)
        except Missing:
            raise Conflict(f"{key} was deleted by somebody else meanwhile") from None

    def keys(self, prefix: str) -> list[str]:
        return sorted(self._list(prefix))

    def folders(self, prefix: str) -> list[str]:
        found = self._list_folders(prefix)
        return sorted({each.removeprefix(prefix).rstrip("/") for each in found})

    def delete(self, key: str) -> None:
        with suppress(Missing):
            self._remove(key)

    def append(self, key: str, line: bytes) -> None:
        self.write(f"{key}/{time.time_ns():020}-{uuid.uuid4().hex[:8]}", line, ABSENT)

    def lines(self, key: str) -> list[bytes]:
        found = [self.read(each) for each in self.keys(f"{key}/")]
        return [stored.data for stored in found if stored]


def seconds_of(date: str | None) -> float | None:
    """Of a header `Date`; None where there is none, or none that can be read."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None


def change(
    storage: Storage, key: str, to: Callable[[bytes | None], bytes], tries: int = TRIES
) -> None:
    """Writes what `to` makes of the value that is there; anew when somebody was faster.

    `to` may be called several times, and may raise. Raises Conflict after the last try.
    """
    for left in reversed(range(tries)):
        found = storage.read(key)
        data = to(found.data if found else None)
        try:
            storage.write(key, data, found.version if found else ABSENT)
            return
        except Conflict:
            if not left:
                raise

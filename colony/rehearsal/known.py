"""What is known of the SDKs' types: one file a package in the user's cache.

To import the SDKs is most of what the start of a world takes; what they say changes with their
version alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from colony.storage.folder import write_atomic

__all__ = ["Known", "known", "save"]


class Known:
    """The types of one package that were asked for so far."""

    def __init__(self, package: str, path: Path | None) -> None:
        """`path` None: its SDK is not installed, or nothing is kept."""
        self._package, self._path = package, path
        self._lock, self._new = threading.Lock(), False
        found = _read(path)
        self.objects: dict[str, dict[str, Any]] = found.get("objects", {})
        """By name, as in `colony.rehearsal.signatures`."""
        self._resources: dict[str, dict[str, Any] | None] = found.get("resources", {})
        self._configuration: list[str] | None = found.get("configuration")

    def configuration(self) -> list[str]:
        """The inputs of the provider itself; empty where it has no SDK."""
        if self._configuration is None:
            from colony.rehearsal.signatures import configuration

            self._configuration, self._new = configuration(self._package) or [], True
        return self._configuration

    def resource(self, token: str) -> dict[str, Any] | None:
        """As `describe` says it; None for a token without a class."""
        if token not in self._resources:
            with self._lock:
                self._ask(token)
        return self._resources[token]

    def save(self) -> None:
        """What another has found meanwhile is lost, and found again. Where nothing can be written
        the next world asks the SDKs, too."""
        with self._lock:
            if self._path is None or not self._new:
                return
            found = {
                "objects": self.objects,
                "resources": self._resources,
                "configuration": self._configuration,
            }
            with suppress(OSError):
                write_atomic(self._path, json.dumps(found).encode())
            self._new = False

    def _ask(self, token: str) -> None:
        from colony.rehearsal.signatures import describe

        if token in self._resources:
            return  # another thread was faster
        objects = dict(self.objects)
        found = describe(token, objects)
        self.objects, self._new = objects, True
        self._resources = {**self._resources, token: found}


@cache
def known(package: str) -> Known:
    return Known(package, _path(package))


def save(packages: Iterable[str]) -> None:
    """Keeps what was found out since the start."""
    for package in packages:
        known(package).save()


def _path(package: str) -> Path | None:
    from colony.toolchain import cache_folder

    try:
        versions = f"{version(f'pulumi-{package}')}-{version('pulumi')}"
    except PackageNotFoundError:
        return None
    reader = sha256(Path(__file__).with_name("signatures.py").read_bytes()).hexdigest()[:12]
    return cache_folder() / "schemas" / f"{package}-{versions}-{reader}.json"


def _read(path: Path | None) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text())) if path else {}
    except (OSError, ValueError):
        return {}

"""`file_mounts` and `volumes` of a task: what of them becomes inputs and volumes of a Job.

A bucket is copied into every pod before its setup, which is what SkyPilot's COPY is; a mount that
is only read comes to the same. A bucket that is written while the job runs has no counterpart here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import Problem
from jobs.importers.imported import Imported
from jobs.importers.sky.rest import Kind, Mode, Rest, Storage
from jobs.problems import NotHonoured, printable

__all__ = ["Mounts", "read_mounts"]

_AZURE = re.compile(r"https://(?P<account>[a-z0-9]+)\.blob\.core\.windows\.net/(?P<rest>.+)")
_COPIED = ("s3://", "gs://")
_READ_ONLY = (Kind.MODEL_CHECKPOINT_RO, Kind.DATASET_RO)
_OUTPUTS = "copy it in with `mode: COPY`, and write results with `outputs` of a Job"


@dataclass
class Mounts:
    """Fields of a Job, and where each stands in the task."""

    inputs: list[dict[str, Any]] = field(default_factory=list)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    def copy(self, source: str, target: str) -> None:
        self._at(f"inputs[{len(self.inputs)}]", f"file_mounts.{printable(target)}")
        self.inputs.append({"path": target, "source": source})

    def claim(self, name: str, target: str, where: str) -> None:
        self._at(f"volumes[{len(self.volumes)}]", where)
        self.volumes.append({"path": target, "claim": name})

    def _at(self, ours: str, theirs: str) -> None:
        self.paths.update({f"{ours}.{name}": theirs for name in ("path", "source", "claim")})
        self.paths[ours] = theirs


def read_mounts(result: Imported, rest: Rest) -> Mounts:
    """What has no counterpart is a named warning of `result`."""
    made = Mounts()
    for target, item in rest.file_mounts.items():
        path = f"file_mounts.{printable(target)}"
        if isinstance(item, Storage):
            result.warnings += _storage(made, item, target, path)
        elif uri := _bucket(item):
            made.copy(uri, target)
        else:
            result.warnings.append(_elsewhere(item, path))
    for target, item in rest.volumes.items():
        path = f"volumes.{printable(target)}"
        name = item.get("name") if isinstance(item, dict) and set(item) == {"name"} else item
        if isinstance(name, str) and name:
            made.claim(name, target, path)
        else:
            hint = "make a PersistentVolumeClaim, and write its name"
            message = "not honoured: a volume that lives as long as the task"
            result.warnings.append(NotHonoured(path, message, hint))
    return made


def _storage(made: Mounts, item: Storage, target: str, path: str) -> Iterator[Problem]:
    if item.store == "volume":
        yield from _volume(made, item, target, path)
        return
    uri = _bucket(item.source) if isinstance(item.source, str) else None
    if uri is None:
        yield _elsewhere(item.source, path)
    elif item.mode is Mode.COPY:
        made.copy(uri, target)
    elif _only_read(item):
        made.copy(uri, target)
        yield Problem(path, "copied before setup, not mounted", "it must fit on the node's disk")
    else:
        message = f"not honoured: {item.mode.value} of a bucket that may be written"
        yield NotHonoured(path, message, _OUTPUTS)


def _volume(made: Mounts, item: Storage, target: str, path: str) -> Iterator[Problem]:
    if item.name and item.persistent:
        made.claim(item.name, target, path)
        return
    hint = "make a PersistentVolumeClaim, and write its name"
    yield NotHonoured(path, "not honoured: a volume that is made for the task", hint)


def _only_read(item: Storage) -> bool:
    mount = item.config.mount if item.config and item.config.mount else {}
    return item.type in _READ_ONLY or mount.get("read_only") is True


def _bucket(uri: str) -> str | None:
    """By our own names of buckets; None for what is none of them."""
    if uri.startswith(_COPIED):
        return uri
    match = _AZURE.fullmatch(uri)
    return f"az://{match['account']}/{match['rest']}" if match else None


def _elsewhere(source: object, path: str) -> NotHonoured:
    if source is None:
        return NotHonoured(path, "not honoured: a bucket that is made for the task", _OUTPUTS)
    if isinstance(source, str) and "://" in source:
        scheme = source.partition("://")[0]
        message = f"not honoured: {printable(scheme)}:// is copied by nothing here"
        return NotHonoured(path, message, "use s3://, gs:// or Azure Blob Storage")
    return NotHonoured(path, "not honoured: a path of this machine", "put it into the workdir")

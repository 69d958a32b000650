"""A self-managed backend's files: what the CLI has no words for. Nothing here needs the engine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from colony.storage.base import Storage
from colony.storage.urls import folder_of

__all__ = ["Lock", "deployment", "locks", "mend", "root_of", "stacks"]

_PACKED = (".json", ".json.gz", ".json.zst")


@dataclass(frozen=True)
class Lock:
    """Who holds a stack's lock."""

    host: str
    pid: int
    user: str
    timestamp: float
    """Unix seconds."""
    key: str
    """Of its own: whoever deletes it takes nobody else's lock away."""


def root_of(url: str) -> Path | None:
    """The backend's own folder in the folder that a `file://` URL names; None for others."""
    return folder_of(url) / ".pulumi" if url.startswith("file:") else None


def stacks(root: Path, project: str) -> list[str] | None:
    """The names of the project's stacks; None where the CLI has to be asked: the folder is of an
    older layout, or it is nowhere and may be out of reach."""
    if not root.is_dir():
        return [] if root.parent.is_dir() and not root.exists() else None
    if not (root / "stacks").exists():
        return []
    if not (root / "meta.yaml").exists():
        return None
    names = [path.name for path in (root / "stacks" / project).glob("*.json*")]
    return sorted(name.removesuffix(end) for name in names for end in _PACKED if name.endswith(end))


def deployment(root: Path, project: str, stack: str) -> dict[str, Any] | None:
    """What `pulumi stack export` shows, secrets encrypted; None where the CLI has to be asked.

    The CLI takes a quarter of a second of CPU to read the same file.
    """
    try:
        found = json.loads((root / "stacks" / project / f"{stack}.json").read_text())
    except (OSError, ValueError):
        return None
    latest = (found.get("checkpoint") or {}).get("latest")
    return dict(latest) if isinstance(latest, dict) else None


def locks(storage: Storage, project: str, stack: str) -> list[Lock]:
    """Who holds the stack, or held it when it died."""
    keys = storage.keys(f".pulumi/locks/organization/{project}/{stack}/")
    return [lock for key in keys if key.endswith(".json") and (lock := _lock(storage, key))]


def mend(root: Path) -> None:
    """Drops sidecar files that a killed engine left half-written.

    A state is replaced at once, but not the `.attrs` beside it; an empty one makes every later
    read fail with `EOF`. The engine can do without.
    """
    for part in ("stacks", "locks"):
        for path in (root / part).rglob("*.attrs"):
            if not _is_json(path):
                path.unlink(missing_ok=True)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except FileNotFoundError:
        return True  # gone meanwhile: nothing to mend
    except (OSError, ValueError):
        return False
    return True


def _unix(text: str) -> float:
    """`2026-11-22T17:17:42.970178291Z` → seconds; 0 (long ago) for what cannot be read."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$", text)
    if not match:
        return 0.0
    zone = "+00:00" if match[2] == "Z" else match[2]
    return datetime.fromisoformat(match[1] + zone).timestamp()


def _lock(storage: Storage, key: str) -> Lock | None:
    stored = storage.read(key)
    try:
        found = json.loads(stored.data if stored else b"")
    except ValueError:  # released or half-written while we looked
        return None
    return Lock(
        host=str(found.get("hostname", "")),
        pid=int(found.get("pid", 0)),
        user=str(found.get("username", "")),
        timestamp=_unix(str(found.get("timestamp", ""))),
        key=key,
    )

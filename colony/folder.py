"""A `file://` backend as a folder: what the CLI has no words for. Nothing here needs the engine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["Lock", "locks", "mend", "root_of"]


@dataclass(frozen=True)
class Lock:
    """Who holds a stack's lock (file backends only)."""

    host: str
    pid: int
    user: str
    timestamp: float
    """Unix seconds."""
    path: Path


def root_of(url: str) -> Path | None:
    """The backend's own folder in the folder that a `file://` URL names; None for others."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    return Path(unquote(parts.netloc + parts.path)).expanduser() / ".pulumi"


def locks(root: Path, project: str, stack: str) -> list[Lock]:
    """Who holds the stack, or held it when it died."""
    found = (root / "locks" / "organization" / project / stack).glob("*.json")
    return [lock for path in sorted(found) if (lock := _lock(path))]


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


def _lock(path: Path) -> Lock | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):  # released or half-written while we looked
        return None
    return Lock(
        host=str(found.get("hostname", "")),
        pid=int(found.get("pid", 0)),
        user=str(found.get("username", "")),
        timestamp=_unix(str(found.get("timestamp", ""))),
        path=path,
    )

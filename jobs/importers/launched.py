"""Workers that only obey a launcher: what runs in them is Colony's own."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft

__all__ = ["idle_worker"]

_IDLE = ("sshd", "sleep", "tail -f")


def idle_worker(draft: Draft, role: dict[str, Any], path: str) -> None:
    """Drops the worker's command: a server for the launcher, or waiting, is what Colony does."""
    run = role.pop("run", None)
    if run is None:
        return
    where = draft.paths.get("roles.worker.run", path)
    if any(word in run for word in _IDLE):
        draft.warn(where, "not used: Colony starts what the launcher needs of a worker")
    else:
        draft.not_honoured(where, "workers run what the launcher starts", "leave the command out")

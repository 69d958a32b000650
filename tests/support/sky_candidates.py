"""A candidate of a SkyPilot task in the words of the recorded vectors."""

from __future__ import annotations

from typing import Any

from jobs.importers.imported import Imported
from jobs.importers.sky.choices import Candidate, Choice, read_choice

__all__ = ["choice_of", "recorded"]

_PLAIN = ("cpus", "memory", "labels")


def choice_of(resources: Any) -> tuple[Choice | None, Imported]:
    """The choice, and what was said of it."""
    result = Imported()
    return read_choice(result, resources), result


def recorded(one: Candidate) -> dict[str, Any]:
    """Named and shaped like SkyPilot's own."""
    values = one.values
    found: dict[str, Any] = {
        "accelerators": {one.gpus.name: one.gpus.count} if one.gpus else None,
        "use_spot": values.get("use_spot", False),
        "disk_size": values.get("disk_size", 256),
        **one.place,
        **{name: values[name] for name in _PLAIN if name in values},
    }
    if "autostop" in values:
        stop = values["autostop"]
        found["autostop"] = stop.model_dump(
            include={"enabled", "idle_minutes", "down", "wait_for"}, mode="json"
        )
        if stop.hooks:
            found["hooks"] = [hook.model_dump(mode="json") for hook in stop.hooks]
    if "job_recovery" in values:
        found["job_recovery"] = values["job_recovery"].model_dump(mode="json")
    return found

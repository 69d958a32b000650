"""Which MIG profiles a GPU has (mig.yaml)."""

from __future__ import annotations

from jobs.data import load

__all__ = ["profile_of", "profiles"]

_WHOLE = ("disabled", "enabled", "balanced")


def profiles(accelerator: str) -> list[str]:
    """Of the accelerator by its canonical name; empty = it cannot be cut."""
    found: list[str] = load("mig.yaml")["profiles"].get(accelerator, [])
    return found


def profile_of(config: str) -> str:
    """The profile in the name of a MIG configuration, `all-1g.10gb.me` -> `1g.10gb+me`.

    Empty for those that fit any GPU, and for names of the user's own.
    """
    name = config.removeprefix("all-")
    if name == config or name in _WHOLE:
        return ""
    return name.removesuffix(".me") + "+me" if name.endswith(".me") else name

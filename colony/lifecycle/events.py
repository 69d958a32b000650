"""What happened to a resource, as one line for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from colony.lifecycle.ground import Tell

__all__ = ["describe", "tell_events"]

OWN = ("pulumi:", "colony:")
"""Stacks, providers and components: nothing of them exists in a cloud."""


def describe(what: str, urn: str) -> str:
    """`created NodeGroup demo-main-gpu`; empty for what exists only in the state."""
    kind, _, name = urn.split("::", 2)[-1].rpartition("::")
    leaf = kind.rsplit("$", 1)[-1]
    return "" if leaf.startswith(OWN) else f"{what} {leaf.rsplit(':', 1)[-1]} {name}"


def tell_events(tell: Tell, events: Sequence[dict[str, Any]]) -> None:
    """In the order of their time."""
    for event in sorted(events, key=lambda each: (each["at"], each["urn"])):
        line = describe(event["what"], event["urn"])
        if line:
            tell(line, at=event["at"])

"""What is asked of a simulated provider, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from colony.rehearsal.package import Package
from colony.rehearsal.state import Change
from colony.rehearsal.templates import lookup

__all__ = ["Call", "Config", "Refusal", "Result"]


@dataclass(frozen=True)
class Config:
    """What a provider instance was configured with, on its own connection."""

    region: str = ""
    default_tags: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    stopped: Event = field(default_factory=Event, compare=False, repr=False)
    """Set when the engine wants what is under way to end."""


@dataclass(frozen=True)
class Call:
    """One operation on one resource. `secrets` are paths of its inputs."""

    op: str
    package: Package
    type: str
    urn: str
    name: str
    inputs: dict[str, Any]
    config: Config
    id: str = ""
    olds: dict[str, Any] = field(default_factory=dict)
    """The outputs that the caller's state holds."""
    secrets: frozenset[tuple[str | int, ...]] = frozenset()
    timeout: float = 0
    """Seconds; 0 is none."""

    @property
    def region(self) -> str:
        """A resource's own region wins over its provider's."""
        own = self.inputs.get(self.package.region_input)
        return own if isinstance(own, str) else self.config.region

    @property
    def tags(self) -> dict[str, str]:
        """The provider's and its own."""
        rule = self.package.types.get(self.type)
        own = lookup(self.inputs, (rule and rule.tags) or self.package.tags_input)
        if isinstance(own, str):
            return dict(pair.split("=", 1) for pair in own.split(", ") if "=" in pair)
        return {**self.config.default_tags, **(own if isinstance(own, dict) else {})}


@dataclass
class Result:
    """What came of it. `secrets` are paths of the outputs."""

    id: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    seconds: float = 0
    secrets: frozenset[tuple[str | int, ...]] = frozenset()


class Refusal(Exception):
    """The cloud says no, in its own words. `half` is what was made nevertheless."""

    def __init__(
        self, code: str, message: str, seconds: float | None = None, half: Result | None = None
    ) -> None:
        self.code, self.message, self.seconds, self.half = code, message, seconds, half
        super().__init__(message)

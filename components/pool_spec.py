"""What a pool of nodes is asked to be, as validated plain values. Pure: no pulumi."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from typing import Any

from pydantic import Field, field_validator, model_validator

from jobs import fields
from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import check_name
from jobs.problems import printable, refuse

__all__ = ["PART_LENGTH", "Capacity", "PoolSpec"]

PART_LENGTH = 30
"""Of a cluster or a pool: it is joined with the colony's name in the clouds' own names."""

_INSTANT: dict[str, Any] = {"type": ["string", "null"], "examples": ["2026-03-01T12:00:00Z"]}


class Capacity(str, Enum):
    """How nodes are bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    """For less, until somebody pays more."""
    RESERVATION = "reservation"
    """From capacity that was reserved before."""


class PoolSpec(Strict):
    """Nodes of one kind."""

    name: str
    """A DNS label."""
    accelerators: str | None = None
    """Of one node, `H100:8`; None = CPU nodes."""
    nodes: int = Field(default=1, ge=1, le=100_000, strict=True)
    """How many; the most of them with `min_nodes`."""
    min_nodes: int | None = Field(default=None, ge=0, strict=True)
    """Fewest, 0 = none while nothing asks for them; absent = always `nodes`."""
    capacity: Capacity = Capacity.ON_DEMAND
    """on-demand, spot (they may be taken away at any time, for a lower price) or reservation."""
    spot: bool = Field(default=False, strict=True)
    """The short form of `capacity: spot`."""
    reservation: str | None = None
    """The cloud's id of what was reserved; implies `capacity: reservation`."""
    reserved_until: str | None = Field(default=None, json_schema_extra=_INSTANT)
    """When the reservation ends, in UTC; jobs that may run longer are refused."""
    disk: int | None = Field(default=None, ge=30, le=16_000, strict=True)
    """GiB of each node's disk; absent = what frameworks' images need."""
    image: str | None = None
    """The nodes' operating system, by the names of the cluster's kind; absent = its own choice."""
    compact: bool | None = Field(default=None, strict=True)
    """Nodes side by side in the data centre; absent = where several have a network of their own."""

    _accelerators = field_validator("accelerators", mode="before")(
        fields.optional(fields.accelerators)
    )
    _words = field_validator("reservation", "image")(fields.optional(fields.word))

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: object) -> object:
        """`spot` and `reservation` say how the nodes are bought, and are said by it."""
        if not isinstance(data, dict):
            return data
        implied = [Capacity.SPOT] if data.get("spot") is True else []
        implied += [Capacity.RESERVATION] if data.get("reservation") else []
        if "capacity" not in data and len(implied) == 1:
            data = {**data, "capacity": implied[0]}
        if data.get("capacity") in ("spot", Capacity.SPOT) and "spot" not in data:
            data = {**data, "spot": True}
        return data

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        return check_name(name, PART_LENGTH)

    @field_validator("accelerators")
    @classmethod
    def _whole(cls, accelerators: str | None) -> str | None:
        if accelerators and "." in accelerators:
            raise refuse(f"a node has whole accelerators, not {accelerators}")
        return accelerators

    @field_validator("reserved_until", mode="before")
    @classmethod
    def _instant(cls, value: object) -> str | None:
        return None if value is None else _utc(value)

    @model_validator(mode="after")
    def _consistent(self) -> PoolSpec:
        problems = [*self._bought(), *self._sized()]
        if problems:
            raise refuse(*problems)
        return self

    def _bought(self) -> list[Problem]:
        reserved = self.capacity is Capacity.RESERVATION
        if self.spot and self.reservation:
            return [Problem("spot", f"these nodes are bought by reservation {self.reservation}",
                            "leave one of them out")]  # fmt: skip
        if self.spot != (self.capacity is Capacity.SPOT):
            return [Problem("spot", f"is {str(self.spot).lower()}, but capacity is "
                            f"{self.capacity.value}", "leave one of them out")]  # fmt: skip
        if reserved and not self.reservation:
            return [Problem("reservation", "required with capacity reservation", "give its id")]
        if self.reservation and not reserved:
            return [Problem("reservation", f"has no meaning with capacity {self.capacity.value}")]
        if self.reserved_until and not reserved:
            return [Problem("reserved_until", "has no meaning without a reservation")]
        return []

    def _sized(self) -> list[Problem]:
        if self.min_nodes is not None and self.min_nodes > self.nodes:
            return [Problem("min_nodes", f"is {self.min_nodes}, more than the {self.nodes} nodes")]
        return []


def _utc(value: object) -> str:
    """One form, so that two files that mean the same are the same."""
    try:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(_zoned(value))
    except ValueError:
        hint = "write it like 2026-03-01T12:00:00Z"
        raise refuse(Problem("", f"{printable(value)} is not a time", hint)) from None
    when = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zoned(value: object) -> str:
    """Python 3.10 reads no `Z`."""
    text = str(value)
    return f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text

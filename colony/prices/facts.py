"""The data files of this room, each read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from colony.market.facts import load_yaml

__all__ = ["Machine", "machine_facts", "machines", "source_facts"]


class Machine(NamedTuple):
    """What a price list does not say."""

    accelerator: str
    gpus: float
    cpus: float
    memory_gib: float


@cache
def source_facts() -> dict[str, Any]:
    facts: dict[str, Any] = load_yaml(Path(__file__).parent / "sources.yaml")
    return facts


@cache
def machine_facts() -> dict[str, Any]:
    facts: dict[str, Any] = load_yaml(Path(__file__).parent / "machines.yaml")
    return facts


def machines(table: str) -> dict[str, Machine]:
    """Machine type -> its size, of one cloud's table."""
    return {name: Machine(*sizes) for name, sizes in machine_facts()[table].items()}

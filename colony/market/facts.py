"""The market's data files, each read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "DATA",
    "cluster_facts",
    "cost_facts",
    "gcp_hosts",
    "known_clouds",
    "load_yaml",
    "other_memory",
]

DATA = Path(__file__).parent / "data"


def load_yaml(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)


@cache
def cluster_facts(cloud: str) -> dict[str, Any]:
    """What a cluster of this cloud costs beside its pools; empty for a cloud never built."""
    facts: dict[str, dict[str, Any]] = _read("clusters.yaml")
    return facts.get(cloud, {})


@cache
def cost_facts() -> dict[str, Any]:
    """What the expected cost of a run is modelled with."""
    facts: dict[str, Any] = _read("costs.yaml")
    return facts


@cache
def known_clouds() -> frozenset[str]:
    return frozenset(_read("checks.yaml")["clouds"])


@cache
def other_memory() -> dict[str, list[float]]:
    """Accelerator -> GiB that it is sold with beside the usual."""
    sizes: dict[str, list[float]] = _read("checks.yaml")["other_memory_gib"]
    return sizes


@cache
def gcp_hosts() -> dict[str, dict[str, dict[int, list[str]]]]:
    """`bound` and `attached`: accelerator -> count -> machine types."""
    hosts: dict[str, dict[str, dict[int, list[str]]]] = _read("gcp_hosts.yaml")
    return hosts


@cache
def _read(name: str) -> Any:
    return load_yaml(DATA / name)

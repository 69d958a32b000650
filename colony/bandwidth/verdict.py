"""What the pods printed, held against what such machines must reach (floors.yaml). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Result", "floors", "judge", "typical"]

MARK = "colony-check "
GIGABITS = 8


@dataclass(frozen=True)
class Result:
    """Of one node. Bandwidths in GB/s; None = not measured, or nothing to be held against."""

    cluster: str
    node: str
    backend: str = ""
    within: float | None = None
    across: float | None = None
    within_floor: float | None = None
    across_floor: float | None = None
    problem: str = ""
    """Empty where the node is as it should be."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(cluster: str, facts: Mapping[str, Any], logs: Mapping[str, str]) -> list[Result]:
    """`logs`: node -> what its pod printed. Only NCCL is held against the floors: what another
    transport shows is that all can reach each other."""
    return [_judged(cluster, node, facts, text) for node, text in sorted(logs.items())]


def floors(facts: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """(within a node, between nodes) of such machines; None = not known."""
    row, line = _row(facts), _data()["across"].get(facts["instance_type"])
    share = _data()["share"]["floor"]
    return (row["floor"] if row else None), (line / GIGABITS * share if line else None)


def typical(facts: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """(within a node, between nodes): what such machines usually show."""
    row, line = _row(facts), _data()["across"].get(facts["instance_type"])
    other, share = _data()["unlisted"], _data()["share"]["typical"]
    within = float(row["typical"] if row else other["within"])
    across = line / GIGABITS * share if line else float(other["across"])
    return (within if facts["gpus"] > 1 else None), (across if facts["nodes"] > 1 else None)


def _judged(cluster: str, node: str, facts: Mapping[str, Any], text: str) -> Result:
    said = _said(text)
    if said is None:
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
        return Result(cluster, node, problem=f"nothing was measured: {last or 'no log'}"[:300])
    low = floors(facts) if said["backend"] == "nccl" else (None, None)
    measured = (said["within"], said["across"])
    problem = "" if said["ok"] else "the sum was wrong"
    for where, value, floor in zip(
        ("within the node", "between nodes"), measured, low, strict=True
    ):
        if value is not None and floor is not None and value < floor and not problem:
            problem = f"{value:.0f} GB/s {where}, and {floor:.0f} are expected"
    return Result(cluster, node, said["backend"], *measured, *low, problem)


def _said(text: str) -> dict[str, Any] | None:
    """The pod's own line; the last one where it ran twice."""
    for line in reversed(text.splitlines()):
        _, found, rest = line.partition(MARK)
        if found:
            try:
                return {"backend": "", "within": None, "across": None, **json.loads(rest)}
            except ValueError:
                return None
    return None


def _row(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    row: dict[str, Any] | None = _data()["within"].get(facts["accelerator"])
    return row if row and row["gpus"] == facts["gpus"] else None


@cache
def _data() -> dict[str, Any]:
    text = Path(__file__).with_name("floors.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found

"""What the pods of `colony check` would print in a modelled run: figures as their machines show.

No GPU is there, so nothing is measured: the figures are those of the data, a few per cent apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.bandwidth.targets import FACTS
from colony.bandwidth.verdict import typical

if TYPE_CHECKING:
    from colony.rehearsal.world import World

__all__ = ["write_logs"]

SPREAD = 0.03
"""Nodes differ by so much, both ways."""


def write_logs(world: World, job: str, workload: Mapping[str, Any]) -> None:
    """One log a rank, for a workload that measures; nothing for any other."""
    annotations = (workload.get("metadata") or {}).get("annotations") or {}
    if FACTS not in annotations:
        return
    facts, folder = json.loads(annotations[FACTS]), Path(world.dir, "logs", job)
    folder.mkdir(parents=True, exist_ok=True)
    for rank in range(facts["nodes"]):
        within, across = (
            None if usual is None else round(usual * _luck(world.seed, workload, rank, which), 1)
            for which, usual in enumerate(typical(facts))
        )
        said = {"backend": "nccl", "gpus": facts["gpus"], "within": within, "across": across}
        line = "colony-check " + json.dumps({**said, "ok": True})
        (folder / f"worker-{rank}.log").write_text(f"{line}\n")


def _luck(seed: int, workload: Mapping[str, Any], rank: int, which: int) -> float:
    """Deterministic by key."""
    key = f"{seed}/{workload['metadata']['name']}/{rank}/{which}"
    part = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
    return 1 + SPREAD * (2 * part - 1)

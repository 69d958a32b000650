"""`colony check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from colony.cli import show
from colony.cli.backend import chosen
from colony.cli.colonies import alive
from colony.cli.durations import seconds_of
from colony.lifecycle.opening import open_ground
from jobs.errors import InputError, Problem

if TYPE_CHECKING:
    from colony.bandwidth.verdict import Result

__all__ = ["check"]


def check(
    name: str, cluster: str | None, world: Path | None, execute: bool, timeout: str, output: str
) -> int:
    """1 where a node failed or is slower than its kind must be."""
    from colony.bandwidth.check import check_colony

    seconds = seconds_of("--timeout", timeout)
    if execute and world is None:
        raise InputError(Problem("--exec", "runs ranks on this machine", "give it a --world"))
    with open_ground(world, chosen(), execute=execute, echo=lambda line: None) as ground:
        alive(ground, name)
        tell = show.teller(None, stderr=output == "json")
        results = check_colony(ground, name, cluster, seconds, tell)
    ok = not any(each.problem for each in results)
    if output == "json":
        show.as_json({"ok": ok, "nodes": [each.to_dict() for each in results]})
    else:
        _print(results)
    return 0 if ok else 1


def _print(results: list[Result]) -> None:
    rows = [
        [each.cluster, each.node, each.backend or "-", _figure(each.within, each.within_floor),
         _figure(each.across, each.across_floor), each.problem or "fine"]
        for each in results
    ]  # fmt: skip
    columns = ["cluster", "node", "by", "GB/s within", "GB/s between", ""]
    show.table("", columns, rows)
    if any(each.backend not in ("", "nccl") for each in results):
        show.console().print("not by NCCL: this shows that ranks reach each other, not how fast")


def _figure(value: float | None, floor: float | None) -> str:
    if value is None:
        return "-"
    text = f"{value:.0f}" if value >= 10 else f"{value:.3g}"
    return text if floor is None else f"{text} (of at least {floor:.0f})"

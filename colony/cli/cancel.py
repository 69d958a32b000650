"""`colony cancel`: jobs ended by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from colony.cli import show
from colony.cli.colonies import agree, ground_of, known
from jobs.errors import InputError, Problem

if TYPE_CHECKING:
    from colony.lifecycle.cancelling import Cancelling

__all__ = ["cancel"]


def cancel(target: str, world: Path | None, yes: bool, output: str) -> int:
    """`target`: NAME, or NAME/JOB. 4 where the colony ended with it, and something is left."""
    from colony.lifecycle.cancelling import cancel as do_cancel

    name, slash, job = target.partition("/")
    if not name or (slash and not job):
        raise InputError(Problem("NAME[/JOB]", f"`{target}` names no colony or job"))
    with ground_of(world) as ground:
        known(ground, name)
        agree(ground, f"cancel {target}?" if job else f"cancel all jobs of {name}?", yes)
        tell = show.teller(None, stderr=output == "json")
        done = do_cancel(ground, name, job, tell)
    if output == "json":
        ended = done.ended.to_dict() if done.ended else None
        show.as_json({"colony": name, "cancelled": done.jobs, "ended": ended})
    else:
        show.console().print(_said(name, done), markup=False)
    if done.ended is None or done.ended.verdict.action != "reap" or done.ended.clean:
        return 0
    return 4


def _said(name: str, done: Cancelling) -> str:
    jobs = f"cancelled: {', '.join(done.jobs)}"
    if done.attended:
        return f"{jobs}; the run of {name} goes on with its other jobs, or ends it"
    if done.ended is None:
        return f"{jobs}; {name} goes on with its other jobs"
    if done.ended.verdict.action != "reap":
        return f"{jobs}; no job is left; {name}: {done.ended.verdict.reason}"
    left = "nothing left" if done.ended.clean else "something is left: `colony sweep` lists it"
    return f"{jobs}; no job was left, so {name} was ended: {left}"

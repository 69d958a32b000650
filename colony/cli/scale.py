"""`colony scale`: a job's workers, while it runs."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.cli.colonies import ground_of, known
from colony.cli.durations import seconds_of
from jobs.errors import InputError, NotSupported, Problem
from jobs.importers.scale import Scale, import_scale

if TYPE_CHECKING:
    from colony.lifecycle.ground import Ground
    from colony.scaling import LiveJob

__all__ = ["Wish", "scale_by_files", "scale_by_words"]

CONFIG = "colony:scale"
"""Job -> the number of workers that was last asked for."""


@dataclass(frozen=True)
class Wish:
    """What the command line says."""

    kind: str
    target: str
    count: int | None = None
    names: str | None = None
    timeout: str | None = None
    script: Path | None = None
    env: dict[str, str] = field(default_factory=dict)


def scale_by_words(wish: Wish, world: Path | None, output: str) -> int:
    """`colony scale out|in NAME/JOB`."""
    colony, slash, job = wish.target.partition("/")
    if not (slash and colony and job):
        raise InputError(Problem("NAME/JOB", f"`{wish.target}` names no job of a colony"))
    names = [name.strip() for name in wish.names.split(",")] if wish.names is not None else None
    if (wish.count is None) == (names is None):
        raise InputError(Problem("--count", "give either --count or --names"))
    limit = None if wish.timeout is None else seconds_of("--timeout", wish.timeout)
    found = Scale(job, wish.kind, wish.count, names, limit, _text(wish.script), wish.env)
    with ground_of(world) as ground:
        _scale(ground, colony, found, output)
    return 0


def scale_by_files(files: list[Path], on: str | None, world: Path | None, output: str) -> int:
    """`colony scale -f FILE`: ScaleIn and ScaleOut documents, one after the other."""
    wanted = [each for file in files for each in _documents(file)]
    for each in wanted:
        show.warn(each.warnings)
    with ground_of(world) as ground:
        for each in wanted:
            _scale(ground, on or _colony_of(ground, each.job), each, output)
    return 0


def _scale(ground: Ground, colony: str, wanted: Scale, output: str) -> None:
    from colony.agent.model import Request
    from colony.scaling import Clock, after, check, scale

    live = _live(ground, colony, wanted.job)
    request = Request(
        id=secrets.token_hex(6), kind=wanted.kind, count=wanted.count, names=wanted.names,
        timeout=wanted.timeout, script=wanted.script, env=wanted.env,
    )  # fmt: skip
    check(live, request)
    tell = show.teller(None, stderr=output == "json")
    before = _record(ground, colony, wanted.job, after(live, request))
    try:
        outcome = scale(live, request, tell, Clock(time.monotonic, time.sleep))
    except BaseException:
        ground.engine.configure(colony, {CONFIG: json.dumps(before, sort_keys=True)})
        raise
    if output == "json":
        show.as_json({"job": wanted.job, **asdict(outcome), "hosts": live.state().hosts})
        return
    note = f" ({outcome.message})" if outcome.message else ""
    tell(f"{wanted.job}: {', '.join(live.state().target)}{note}")


def _record(ground: Ground, colony: str, job: str, size: int) -> dict[str, int]:
    """Into the stack config, first; returns what was there before."""
    before = json.loads(ground.engine.config(colony).get(CONFIG) or "{}")
    ground.engine.configure(colony, {CONFIG: json.dumps({**before, job: size}, sort_keys=True)})
    return dict(before)


def _live(ground: Ground, colony: str, job: str) -> LiveJob:
    from colony.kubeapi import KubeApi
    from colony.scaling import LiveJob

    known(ground, colony)
    outputs = ground.engine.outputs(colony) if colony in ground.engine.stacks() else {}
    jobs = outputs.get("jobs") or {}
    if job not in jobs:
        hint = f"its jobs: {', '.join(sorted(jobs))}" if jobs else "nothing of it runs"
        raise InputError(Problem("NAME/JOB", f"{colony} has no job `{job}`", hint))
    place = jobs[job]
    kubeconfig = _kubeconfig(ground, outputs, place["cluster"])
    return LiveJob(KubeApi(kubeconfig), place["namespace"], job)


def _kubeconfig(ground: Ground, outputs: dict[str, Any], cluster: str) -> str:
    if not ground.simulated:
        return str(outputs["kubeconfigs"][cluster])
    real = getattr(ground, "real", None)
    if real is None:
        hint = "give the world a real API server"
        raise NotSupported(Problem("--world", "no agent runs in a simulated cluster", hint))
    return str(real.kubeconfig())


def _colony_of(ground: Ground, job: str) -> str:
    """The one colony that has a job of this name."""
    stacks = ground.engine.stacks()
    found = [name for name in stacks if job in (ground.engine.outputs(name).get("jobs") or {})]
    if len(found) == 1:
        return found[0]
    message = f"{len(found)} colonies have a job `{job}`" if found else f"no colony has `{job}`"
    raise InputError(Problem("spec.selector.name", message, "name the colony with --on"))


def _documents(file: Path) -> list[Scale]:
    from colony.reading import pages, read_text

    found = []
    for page in pages(read_text(file)):
        if page.problems:
            raise InputError(*page.problems, file=str(file))
        if not isinstance(page.data, dict):
            raise InputError(Problem("", "is no ScaleIn or ScaleOut"), file=str(file))
        try:
            found.append(import_scale(page.data))
        except InputError as error:
            raise InputError(*error.problems, file=str(file)) from None
    if not found:
        raise InputError(Problem("", "empty: no document in it"), file=str(file))
    return found


def _text(script: Path | None) -> str:
    if script is None:
        return ""
    try:
        return script.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem("--script", f"cannot be read: {error}")) from None

"""Commands about colonies that exist or existed: down, status, logs, reap, sweep, …"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.cli.life import _safeties
from colony.lifecycle.ground import Ground, records_of
from colony.records import stacks_with_records
from jobs.errors import InputError, Problem

if TYPE_CHECKING:
    from colony.lifecycle.reap import Reaped

__all__ = ["down", "history", "jobs", "kubeconfig", "logs", "reap", "status", "sweep"]


@contextmanager
def ground_of(world: Path | None) -> Iterator[Ground]:
    """The world of that folder, or the real clouds."""
    if world:
        from colony.lifecycle.simulated import Simulated
        from colony.rehearsal.world import World

        with Simulated(World.open(world)) as ground:
            yield ground
        return
    from colony.lifecycle.real import Real

    with Real.open() as real:
        yield real


def down(name: str, world: Path | None, yes: bool, without: list[str]) -> int:
    from colony.lifecycle.reap import write_receipt
    from colony.lifecycle.teardown import end_colony

    with ground_of(world) as ground:
        _known(ground, name)
        _agree(ground, f"destroy {name}?", yes)
        tell = show.teller(None, stderr=False)
        ended = end_colony(ground, name, tell, safeties=_safeties(without))
        receipt = write_receipt(ground, name, "ended by `colony down`", ended, "cancelled")
    show.receipt_text(receipt)
    return 0 if ended.clean else 4


def status(name: str | None, world: Path | None, output: str) -> int:
    with ground_of(world) as ground:
        if name:
            _known(ground, name)
        live = set(ground.engine.stacks())
        names = [name] if name else sorted(live)
        rows = [_status(ground, each, each in live) for each in names]
    if output == "json":
        show.as_json(rows)
        return 0
    if not rows:
        show.console().print("no colonies")
        return 0
    show.table("", ["colony", "phase", "owner", "expires in", "$/h"],
               [[r["colony"], r["phase"], r["owner"], r["expires_in"], r["usd_per_hour"]]
                for r in rows])  # fmt: skip
    return 0


def jobs(name: str, world: Path | None, output: str) -> int:
    with ground_of(world) as ground:
        _known(ground, name)
        records = records_of(ground, name)
        receipt = records.read("receipt") or {}
        found = receipt.get("jobs") or _running_jobs(ground, name)
    if output == "json":
        show.as_json(found)
        return 0
    rows = [[job, line["outcome"], line.get("exit_code", ""), line["reason"]]
            for job, line in sorted(found.items())]  # fmt: skip
    show.table("", ["job", "state", "exit", "why"], rows)
    return 0


def logs(target: str, rank: int | None, follow: bool, world: Path | None) -> int:
    name, _, job = target.partition("/")
    with ground_of(world) as ground:
        _known(ground, name)
        folder = records_of(ground, name).logs
    chosen = _log_files(folder, job, rank)
    if not chosen:
        what = f" of rank {rank}" if rank is not None else ""
        raise InputError(f"no logs{what} of {target} in {folder}")
    for path in chosen:
        print(path.read_text(errors="replace"), end="")
    while follow:
        _follow(chosen)
    return 0


def kubeconfig(name: str, cluster: str | None, file: Path | None, world: Path | None) -> int:
    with ground_of(world) as ground:
        _known(ground, name)
        found = ground.engine.outputs(name).get("kubeconfigs") or {}
    if cluster is None and len(found) > 1:
        raise InputError(Problem("--cluster", f"which one: {', '.join(sorted(found))}?"))
    if not found or (cluster and cluster not in found):
        raise InputError(Problem("--cluster", f"{name} has no cluster {cluster or ''}".rstrip()))
    text = found[cluster or next(iter(found))]
    if file is None:
        print(text)
        return 0
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
    return 0


def history(world: Path | None, output: str) -> int:
    with ground_of(world) as ground:
        names = stacks_with_records(ground.root)
        ended = [(name, records_of(ground, name).read("receipt")) for name in names]
    receipts = [{**receipt, "colony": name} for name, receipt in ended if receipt]
    if output == "json":
        show.as_json(receipts)
        return 0
    rows = [_ended_row(receipt) for receipt in receipts]
    if not rows:
        show.console().print("no colony has ended yet")
        return 0
    show.table("", ["colony", "outcome", "lived", "$", "left", "why"], rows)
    return 0


def reap(world: Path | None, yes: bool, output: str, without: list[str]) -> int:
    """Without --yes, on real clouds, only says what it would do."""
    from colony.lifecycle.reap import reap as do_reap

    act = yes or world is not None
    with ground_of(world) as ground:
        tell = show.teller(None, stderr=output == "json")
        reaped = do_reap(ground, tell, act=act, safeties=_safeties(without))
    if output == "json":
        show.as_json([one.to_dict() for one in reaped])
    else:
        for one in reaped:
            _print_reaped(one, act)
        if not reaped:
            show.console().print("no colonies")
    return 0 if all(one.clean for one in reaped) or not act else 4


def sweep(name: str | None, expired: bool, world: Path | None, yes: bool, output: str) -> int:
    """Lists by tag; a colony that lives and has time left is only touched when named."""
    from colony.lifecycle.sweep import sweep as do_sweep

    left, deleted = [], []
    with ground_of(world) as ground:
        if name:
            _known(ground, name)
        tell = show.teller(None, stderr=output == "json")
        for stack in [name] if name else stacks_with_records(ground.root):
            if not name and not _over(ground, stack, expired):
                continue
            clusters = (records_of(ground, stack).read("clusters") or {}).get("names", [])
            swept = do_sweep(ground, stack, clusters, tell, delete=yes, everything=True)
            left += swept.left
            deleted += swept.deleted
    if output == "json":
        show.as_json(
            {
                "deleted": [thing.to_dict() for thing in deleted],
                "billable_left": [thing.to_dict() for thing in left if thing.costs],
                "also_left": [thing.to_dict() for thing in left if not thing.costs],
            }
        )
    elif left:
        show.left_text(left)
    else:
        show.console().print("nothing left")
    return 4 if left else 0


def _ended_row(receipt: dict[str, Any]) -> list[Any]:
    left = "nothing left" if receipt.get("clean") else "LEFT"
    lived, total = show.duration(receipt["virtual_seconds"]), receipt["cost"]["total"]
    return [receipt["colony"], receipt["outcome"], lived, total, left, receipt["reason"]]


def _over(ground: Ground, stack: str, expired: bool) -> bool:
    lease = records_of(ground, stack).lease()
    if expired:
        return lease is not None and ground.now() >= lease.expires
    return stack not in ground.engine.stacks()


def _known(ground: Ground, name: str) -> None:
    known = stacks_with_records(ground.root)
    if name in known:
        return
    names = sorted({*known, *ground.engine.stacks()})
    if name not in names:
        near = get_close_matches(name, names, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else "`colony status` lists them"
        raise InputError(Problem("NAME", f"no colony is called `{name}`", hint))


def _agree(ground: Ground, question: str, yes: bool) -> None:
    if yes or ground.simulated:
        return
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("not confirmed: nothing was changed")


def _status(ground: Ground, name: str, live: bool) -> dict[str, Any]:
    records = records_of(ground, name)
    lease, receipt = records.lease(), records.read("receipt") or {}
    completion = records.read("completion") or {}
    outputs = ground.engine.outputs(name) if live else {}
    phase = completion.get("outcome") or ("up" if outputs else "provisioning")
    left = (lease.expires - ground.now()) if lease and live else 0
    return {
        "colony": name,
        "phase": phase if live else f"gone ({receipt.get('outcome', 'unknown')})",
        "owner": lease.owner if lease else "-",
        "expires_in": show.duration(max(left, 0)) if live else "-",
        "usd_per_hour": float(outputs.get("usd_per_hour", 0.0)),
    }


def _running_jobs(ground: Ground, name: str) -> dict[str, dict[str, Any]]:
    outputs = ground.engine.outputs(name) if name in ground.engine.stacks() else {}
    found = outputs.get("jobs") or {}
    return {job: {"outcome": "live", "reason": ""} for job in found}


def _log_files(folder: Path, job: str, rank: int | None) -> list[Path]:
    files = sorted(folder.glob(f"{job or '*'}/*.log"))
    if rank is None:
        return files
    return [path for path in files if path.stem.rsplit("-", 1)[-1] == str(rank)]


def _follow(paths: list[Path]) -> None:
    """Prints what is added, until interrupted."""
    places = {path: path.stat().st_size for path in paths}
    while True:
        for path, place in places.items():
            with path.open(errors="replace") as file:
                file.seek(place)
                print(file.read(), end="", flush=True)
                places[path] = file.tell()
        time.sleep(0.5)


def _print_reaped(one: Reaped, act: bool) -> None:
    out, action = show.console(), one.verdict.action
    did = {"reap": "reaped" if act else "would be reaped", "refuse": "refused", "wait": "alive"}
    reason = one.error or one.verdict.reason
    out.print(f"{one.verdict.stack}: {did.get(action, action)}: {reason}", markup=False)
    if action == "reap" and act:
        if one.clean:
            out.print("nothing left")
        else:
            show.left_text(
                one.ended.left if one.ended else [], one.ended.doubt if one.ended else ""
            )

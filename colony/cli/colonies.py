"""Commands about colonies that exist or existed: down, status, logs, reap, …"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.cli import show
from colony.cli.backend import chosen
from colony.cli.life import _safeties
from colony.command import CliFailed
from colony.lifecycle.ground import Ground, records_of
from colony.lifecycle.logbook import log
from colony.lifecycle.opening import open_ground
from colony.records import stacks_with_records
from colony.storage.base import Unavailable, Unproven
from jobs.errors import InputError, Problem, RunFailed
from jobs.problems import did_you_mean

if TYPE_CHECKING:
    from colony.lifecycle.reap import Reaped

__all__ = [
    "agree", "alive", "down", "ground_of", "jobs", "known", "kubeconfig", "logs", "reap", "status",
]  # fmt: skip


def ground_of(world: Path | None) -> AbstractContextManager[Ground]:
    """The world of that folder, or the real clouds."""
    return open_ground(world, chosen())


def down(name: str, world: Path | None, yes: bool, without: list[str]) -> int:
    from colony.lifecycle.reap import write_receipt
    from colony.lifecycle.teardown import end_colony

    safeties = _safeties(without)
    try:
        with ground_of(world) as ground:
            known(ground, name)
            agree(ground, f"destroy {name}?", yes)
            tell = show.teller(None, stderr=False)
            before = _ended_before(ground, name)
            if before is None:
                log(ground, name, "ending", by="down")
            ended = end_colony(ground, name, tell, safeties=safeties)
            if before and ended.clean and not ended.swept:  # its receipt stands
                show.console().print(f"{name} had ended ({before['outcome']}); nothing left")
                return 0
            receipt = write_receipt(ground, name, "ended by `colony down`", ended, "cancelled")
    except (Unavailable, CliFailed) as error:
        raise Unproven(f"{name} was not ended, and may be left and cost: {error}") from error
    show.receipt_text(receipt)
    return 0 if ended.clean else 4


def status(name: str | None, world: Path | None, output: str) -> int:
    with ground_of(world) as ground:
        if name:
            known(ground, name)
        live = set(ground.engine.stacks())
        names = [name] if name else sorted(live)
        rows = [_status(ground, each, each in live) for each in names]
    if output == "json":
        show.as_json(rows)
        return 0
    if not rows:
        show.console().print("no colonies")
        return 0
    money = ("spent", "projected", "worst")
    columns = [
        "colony",
        "phase",
        "clusters",
        "owner",
        "expires in",
        "$/h",
        "$ spent",
        "projected",
        "worst",
    ]
    show.table("", columns,
               [[r["colony"], r["phase"], _summary(r), r["owner"], r["expires_in"],
                 _rate(r), *(r[m] for m in money)] for r in rows])  # fmt: skip
    return 0


def jobs(name: str, world: Path | None, output: str) -> int:
    with ground_of(world) as ground:
        known(ground, name)
        found = _jobs(ground, name)
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
        known(ground, name)
        folder = records_of(ground, name).fetch("logs")
        files = _log_files(folder, job, rank)
        if job and not files:
            _has_job(ground, name, job)
    if not files:
        what = f" of rank {rank}" if rank is not None else ""
        raise InputError(f"no logs{what} of {target} in {folder}")
    for path in files:
        print(path.read_text(errors="replace"), end="")
    while follow:
        _follow(files)
    return 0


def kubeconfig(name: str, cluster: str | None, file: Path | None, world: Path | None) -> int:
    with ground_of(world) as ground:
        alive(ground, name)
        found = ground.engine.outputs(name).get("kubeconfigs") or {}
    if cluster is None and len(found) > 1:
        raise InputError(Problem("--cluster", f"which one: {', '.join(sorted(found))}?"))
    if not found or (cluster and cluster not in found):
        missing = f"{name} has no cluster {cluster or ''}".rstrip()
        hint = did_you_mean(
            cluster or "", found, f"it has {', '.join(sorted(found)) or 'none yet'}"
        )
        raise InputError(Problem("--cluster", missing, hint))
    text = found[cluster or next(iter(found))]
    if file is None:
        print(text)
        return 0
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)
    return 0


def reap(world: Path | None, yes: bool, output: str, without: list[str]) -> int:
    """Without --yes, on real clouds, only says what it would do."""
    from colony.lifecycle.clocks import check_clock
    from colony.lifecycle.reap import reap as do_reap

    act = yes or world is not None
    safeties = _safeties(without)
    tell = show.teller(None, stderr=output == "json")
    try:
        with ground_of(world) as ground:
            check_clock(ground)
            reaped = do_reap(ground, tell, act=act, safeties=safeties)
    except RunFailed as error:
        tell(f"the backend cannot be asked, and what it knows may be left and cost: {error}")
        tell("`colony sweep --expired` asks the clouds themselves, by their tags")
        return 4
    if output == "json":
        show.as_json([one.to_dict() for one in reaped])
    else:
        for one in reaped:
            _print_reaped(one, act)
        if not reaped:
            show.console().print("no colonies")
    return 0 if all(one.clean for one in reaped) or not act else 4


def _ended_before(ground: Ground, name: str) -> dict[str, Any] | None:
    """The receipt of a colony of which nothing was left."""
    receipt = records_of(ground, name).read("receipt")
    if not (receipt and receipt.get("clean")) or name in ground.engine.stacks():
        return None
    return receipt


def alive(ground: Ground, name: str) -> None:
    """Raises InputError for a colony that has ended, or never was."""
    known(ground, name)
    if name not in ground.engine.stacks():
        hint = f"`colony history {name}` says how it ended"
        raise InputError(Problem("NAME", f"{name} is not there any more", hint))


def known(ground: Ground, name: str) -> None:
    """Raises InputError, with near matches, for a name that no colony ever had here."""
    recorded = stacks_with_records(ground.storage)
    if name in recorded:
        return
    names = sorted({*recorded, *ground.engine.stacks()})
    if name not in names:
        near = get_close_matches(name, names, n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else "`colony status` lists them"
        raise InputError(Problem("NAME", f"no colony is called `{name}`", hint))


def agree(ground: Ground, question: str, yes: bool) -> None:
    if yes or ground.simulated:
        return
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("not confirmed: nothing was changed")


def _status(ground: Ground, name: str, live: bool) -> dict[str, Any]:
    from colony.lifecycle.clusters import status_of

    records = records_of(ground, name)
    lease, receipt = records.lease(), records.read("receipt") or {}
    completion = records.read("completion") or {}
    outputs = ground.engine.outputs(name) if live else {}
    clusters = status_of(ground, name) if live else None
    phase = completion.get("outcome") or (clusters.phase.value if clusters else "")
    left = (lease.expires - ground.now()) if lease and live else 0
    return {
        "colony": name,
        "clusters": clusters.to_dict() if clusters else None,
        "phase": phase if live else f"gone ({receipt.get('outcome', 'unknown')})",
        "owner": lease.owner if lease else "-",
        "expires_in": show.duration(max(left, 0)) if live else "-",
        "usd_per_hour": float(outputs.get("usd_per_hour", 0.0)),
        "usd_per_hour_now": clusters.usd_per_hour if clusters else 0.0,
        **_money(ground, name, live, receipt),
    }


def _money(ground: Ground, name: str, live: bool, receipt: dict[str, Any]) -> dict[str, Any]:
    """Spent, projected to the longest max_run_time, and the worst case: the lease or the budget."""
    from colony.lifecycle.spending import money_of

    found = money_of(ground, name) if live else None
    if found:
        return found
    total = (receipt.get("cost") or {}).get("total")
    return {"spent": total, "projected": total, "worst": total, "budget": None}


def _summary(row: dict[str, Any]) -> str:
    return row["clusters"]["summary"] if row["clusters"] else "-"


def _rate(row: dict[str, Any]) -> float | str:
    """`4.20 of 9.00` while a part is not there."""
    whole, now = row["usd_per_hour"], row["usd_per_hour_now"]
    return f"{now:,.2f} of {whole:,.2f}" if round(now, 2) < round(whole, 2) else float(whole)


def _jobs(ground: Ground, name: str) -> dict[str, dict[str, Any]]:
    """Of a colony that is there or has ended."""
    receipt = records_of(ground, name).read("receipt") or {}
    return receipt.get("jobs") or _running_jobs(ground, name)


def _has_job(ground: Ground, name: str, job: str) -> None:
    """Raises InputError, with a near match."""
    if job not in (found := _jobs(ground, name)):
        hint = did_you_mean(job, found, f"its jobs: {', '.join(sorted(found)) or 'none'}")
        raise InputError(Problem("NAME/JOB", f"{name} has no job `{job}`", hint))


def _running_jobs(ground: Ground, name: str) -> dict[str, dict[str, Any]]:
    from colony.lifecycle.cancelled import cancelled_jobs

    outputs = ground.engine.outputs(name) if name in ground.engine.stacks() else {}
    found, cancelled = outputs.get("jobs") or {}, cancelled_jobs(records_of(ground, name))
    return {
        job: {"outcome": "cancelled" if job in cancelled else "live", "reason": ""} for job in found
    }


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
    did = {"reap": "reaped" if act else "would be reaped", "refuse": "refused", "wait": "alive",
           "stop": "stopped" if act else "would be stopped"}  # fmt: skip
    reason = one.error or one.verdict.reason
    out.print(f"{one.verdict.stack}: {did.get(action, action)}: {reason}", markup=False)
    if one.clean and action == "reap" and act:
        out.print("nothing left")
    elif not one.clean and (act or action == "refuse"):
        show.left_text(one.ended.left if one.ended else [], one.ended.doubt if one.ended else "")

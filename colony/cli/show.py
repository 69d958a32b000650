"""Text for people: tables and single lines; colours only on a terminal, NO_COLOR honoured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from colony.lifecycle.ground import Tell, Thing
    from colony.lifecycle.receipt import Receipt
    from colony.market.failover import Failover
    from components.placement import Placement
    from components.spec import ColonySpec
    from jobs.errors import Problem

__all__ = [
    "as_json",
    "console",
    "duration",
    "left_text",
    "money",
    "money_text",
    "quota_text",
    "receipt_text",
    "table",
    "teller",
    "warn",
]

WIDE = 160
"""Columns where the output is not a terminal: nothing is folded or cut in a log."""
WIDEST = 2000
"""Columns of a table there, at most."""
FOLDED = 24
"""Columns that a last column of long texts keeps on a narrow terminal."""


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=width)


def as_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, sort_keys=False)
    sys.stdout.write("\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Numbers are set to the right."""
    from rich import box
    from rich.table import Table

    grid = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], (int, float)) for row in rows)
        grid.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    # Otherwise all columns are cut for the sake of a long last one.
    if rows and not isinstance(rows[0][-1], (int, float)):
        last = grid.columns[-1]
        last.no_wrap, last.overflow = False, "fold"
        last.min_width = min(FOLDED, max(len(_cell(row[-1])) for row in rows))
    for row in rows:
        grid.add_row(*[_plain(_cell(cell)) for cell in row])
    out = console()
    if not out.is_terminal:
        needed = out.measure(grid, options=out.options.update(width=WIDEST)).maximum
        out.width = max(out.width, needed)
    out.print(grid)


def teller(clock: Callable[[], float] | None, *, stderr: bool) -> Tell:
    """Progress lines, each with the run's time where it has one."""
    out = console(stderr=stderr)

    def tell(text: str, at: float | None = None) -> None:
        seconds = at if at is not None or clock is None else clock()
        stamp = "" if seconds is None else f"{duration(seconds):>9}  "
        out.print(stamp + text, markup=False)

    return tell


def warn(warnings: Sequence[Problem]) -> None:
    """Always on stderr: stdout may be JSON."""
    for warning in warnings:
        console(stderr=True).print(f"warning: {warning}", markup=False)


def duration(seconds: float) -> str:
    """`1h02m05s`, `4m05s`, `12s`."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m{left:02d}s"
    return f"{minutes}m{left:02d}s" if minutes else f"{left}s"


def money(usd: float) -> str:
    return f"${usd:,.2f}"


def placement_text(placement: Placement) -> None:
    """What would be built, and what it costs: shown before any money is spent."""
    from jobs.quantities import counted

    rows = [
        [cluster.name, f"{cluster.cloud}/{cluster.region or cluster.name}", pool.name,
         pool.instance_type,
         f"{pool.accelerator}:{pool.accelerator_count}" if pool.accelerator else "-",
         pool.nodes, pool.price_per_node_hour, pool.nodes * pool.price_per_node_hour]
        for cluster in placement.clusters
        for pool in cluster.pools
    ]  # fmt: skip
    rows += [
        [cluster.name, f"existing/{cluster.context}", *["-"] * 6]
        for cluster in placement.clusters
        if not cluster.pools
    ]
    columns = ["cluster", "where", "pool", "instance", "GPUs", "nodes", "$/node/h", "$/h"]
    table("", columns, rows)
    control = sum(cluster.control_plane_per_hour for cluster in placement.clusters)
    gpus = sum(p.nodes * p.accelerator_count for c in placement.clusters for p in c.pools)
    console().print(
        f"{counted(gpus, 'GPU')}; with control planes ({money(control)}/h) "
        f"[bold]{money(placement.price_per_hour)} per hour[/bold]{_priced(placement)}"
    )


def _priced(placement: Placement) -> str:
    """Whose prices these are; what the file itself says of its hosts has no date."""
    from components.spec import OWNED

    if all(cluster.cloud in OWNED for cluster in placement.clusters):
        return ", as the file prices its hosts" if placement.price_per_hour else ""
    return f", prices of {placement.catalog_date or 'an unknown date'}"


def quota_text(failover: Failover, real: bool) -> None:
    """What was refused before any attempt, and of what no real cloud tells a quota."""
    out = console()
    for reason in failover.shortages:
        out.print(f"refused: {reason}", markup=False)
    silent = sorted({f"{c.cloud}/{c.region}" for c, quota in failover.quotas.items() if not quota})
    if real and silent:
        out.print(f"quota unknown in {', '.join(silent)}: an attempt will show it", style="dim")


def money_text(spec: ColonySpec, placement: Placement) -> None:
    """What it may come to."""
    from colony.lifecycle.spending import before

    seen, budget = before(spec, placement), spec.budget
    ends = f" (a budget of {money(budget.usd)}, then {budget.action.value})" if budget else ""
    long = "every job runs as long as it may" if spec.jobs else "it lives as long as its lease"
    console().print(f"up to {money(seen.projected)} if {long}, {money(seen.worst)} at worst{ends}")


def receipt_text(receipt: Receipt, kept: bool = True) -> None:
    """The receipt: how it ended, what it cost and for what, and whether anything is left.

    `kept` is False for a rehearsal whose world, logs included, is thrown away now.
    """
    out = console()
    out.rule(f"receipt of {receipt.colony}", style="dim")
    style = {0: "green"}.get(receipt.exit_code, "red")
    reason = f" ({receipt.reason})" if receipt.reason else ""
    out.print(f"[{style}]{receipt.outcome}[/{style}]", _plain(reason))
    for job, line in receipt.jobs.items():
        code = f", exit code {line['exit_code']}" if line["exit_code"] else ""
        out.print(f"  job {job}: {line['outcome']}{code}", markup=False)
    _attempts(receipt)
    _cost(receipt)
    _timing(receipt.timing)
    for note in receipt.notes:
        out.print("note:", _plain(note))
    for thing in receipt.swept:
        out.print(f"swept: {thing.type} {thing.id} (the destroy had not deleted it)")
    if not kept:
        out.print("the rehearsal's world is thrown away now; --report DIR keeps it, logs included")
    elif receipt.logs:
        out.print(f"logs: colony logs {receipt.colony}", _plain(f"({receipt.logs})"))
    if receipt.exit_code != 4:
        out.print("[bold green]nothing left[/bold green]: the inventory lists nothing of it")
        return
    left_text(receipt.left, receipt.unfinished)


def left_text(left: Sequence[Thing], doubt: str = "") -> None:
    """What is still there, what costs money first; or why it is not known."""
    out = console()
    paid = [thing for thing in left if thing.costs]
    if paid:
        out.print("[bold red]LEFT, and still paid for:[/bold red]")
    for thing in paid:
        price = f"{money(thing.usd_per_hour)}/h" if thing.usd_per_hour else ""
        out.print(f"  {thing.type} {thing.id} {price}", markup=False)
    if len(left) > len(paid):
        out.print(f"{len(left) - len(paid)} things that cost nothing are left, too")
    if doubt:
        out.print("[bold red]something may be left:[/bold red]", _plain(doubt))
    out.print("`colony reap` tries again; `colony sweep NAME --yes` deletes what is listed")


def _attempts(receipt: Receipt) -> None:
    """Only where one was refused; what they were billed is a share of the cost."""
    if not any(line["kind"] for line in receipt.attempts):
        return
    rows = [
        [line["attempt"], duration(line["at"]), f"{line['cloud']}/{line['zone'] or line['region']}",
         line["nodes"], line["instance_type"], line["result"], line["code"] or line["kind"] or "-",
         line["node_seconds"], line["usd"]]
        for line in receipt.attempts
    ]  # fmt: skip
    columns = ["attempt", "at", "where", "nodes", "instance", "result", "code", "node-s", "$"]
    table("", columns, rows)
    wasted = receipt.failed_attempts
    console().print(
        f"failed attempts: {money(wasted['usd'])} for {wasted['node_seconds']:,.0f} node-seconds, "
        "within the cost below"
    )


def _cost(receipt: Receipt) -> None:
    rows = [[part, usd] for part, usd in receipt.cost.parts.items()]
    table("", ["part", "$"], [*rows, ["total", receipt.cost.total]])
    price = f", at {money(receipt.price_per_hour)} per hour" if receipt.price_per_hour else ""
    console().print(f"lived {duration(receipt.seconds)}{price}")


def _timing(timing: dict[str, dict[str, Any]]) -> None:
    """What the time went into: the longest chain of an `up`, the levels of a `destroy`."""
    from colony.lifecycle.events import describe

    out = console()
    if up := timing.get("up"):
        steps = [describe("", step["urn"]).strip() for step in up["steps"] if step["seconds"] >= 30]
        chain = duration(up["longest_chain"])
        out.print(
            f"up took {duration(up['seconds'])}, its longest chain {chain}: {', '.join(steps)}",
            markup=False,
        )
    if end := timing.get("destroy"):
        total, levels = duration(end["sum_of_levels"]), end["levels"]
        out.print(
            f"destroy took {duration(end['seconds'])}, the slowest of its {len(levels)} levels "
            f"{total} together"
        )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)

"""The part of `colony plan` that is about money: offers of each job, every term of the cost of the
chosen one, and why the rest was refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from colony.cli import show

__all__ = ["offers_text"]

_COLUMNS = (
    "where", "instance", "GPUs", "nodes", "free", "capacity", "$/node/h", "$/h", "$ to finish", "",
)  # fmt: skip


def offers_text(plans: Sequence[dict[str, Any]], together: bool) -> None:
    """Of the JSON of each job; `together`: they are tasks of one pipeline."""
    for plan in plans:
        _job(plan)
    chosen = [plan["chosen"]["expected"] for plan in plans if plan["chosen"]]
    if together and len(chosen) == len(plans):
        total = math.fsum(bill["total"] for bill in chosen)
        egress = math.fsum(bill["egress"] for bill in chosen)
        show.console().print(
            f"all {len(plans)} tasks: {show.money(total)}, of it {show.money(egress)} for data "
            "that move between clouds and regions",
            markup=False,
        )


def _job(plan: dict[str, Any]) -> None:
    out = show.console()
    if plan["offers"]:
        rows = [_row(offer, offer == plan["chosen"]) for offer in plan["offers"]]
        show.table(f"job {plan['job']}{_wanted(plan)}", _COLUMNS, rows)
    if plan["chosen"]:
        out.print(_bill(plan["chosen"]["expected"]), markup=False)
    for refusal in plan["refused"]:
        near = f"; near: {', '.join(map(str, refusal['near']))}" if refusal["near"] else ""
        which = _named(plan, refusal.get("candidate"))
        out.print(f"refused {refusal['count']}{which}: {refusal['reason']}{near}", markup=False)
    for note in plan["notes"]:
        out.print(f"note: {note}", markup=False)


def _wanted(plan: dict[str, Any]) -> str:
    """How one of several candidates is chosen."""
    count = len(plan["requests"])
    if count == 1:
        return ""
    return f": {'the first that can be had' if plan['ordered'] else 'the cheapest'} of {count}"


def _row(offer: dict[str, Any], chosen: bool) -> list[Any]:
    gpus = f"{offer['accelerators']}:{offer['count']}" if offer["accelerators"] else "-"
    place = offer["region"] or offer["cluster"] or ""
    return [
        f"{offer['cloud']}/{place}".rstrip("/"), offer["instance_type"] or "-", gpus,
        offer["nodes"], "-" if offer["free"] is None else str(offer["free"]),
        offer["capacity"], offer["price_per_node_hour"], offer["price_per_hour"],
        f"{offer['expected']['total']:,.2f}", "<- chosen" if chosen else "",
    ]  # fmt: skip


def _named(plan: dict[str, Any], candidate: int | None) -> str:
    if candidate is None or len(plan["requests"]) == 1:
        return ""
    request = plan["requests"][candidate]
    what = request["accelerators"] or request["instance_type"] or f"{request['cpus'] or ''} vCPUs"
    count = f":{request['count']:g}" if request["accelerators"] else ""
    return f" of {what}{count}"


def _bill(expected: dict[str, float]) -> str:
    """All terms of what the chosen offer is expected to cost."""
    terms = [f"{name.replace('_', ' ')} {usd:,.2f}" for name, usd in expected.items()]
    return f"expected until done: ${expected['total']:,.2f} = {' + '.join(terms[:-1])}"

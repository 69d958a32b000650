"""Whether a job may be given to a cluster: yes, later, or never. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from jobs.amounts import gib, plain
from jobs.gate.demand import Demand
from jobs.gate.nodes import CPU, MEMORY, Node
from jobs.gate.offering import matching, offerings
from jobs.gate.packing import candidates, packs, room, short
from jobs.gate.quota import Quota
from jobs.problems import near

__all__ = ["Answer", "Line", "Verdict", "judge"]


class Answer(str, Enum):
    """What is to be done."""

    FITS = "fits"
    BUSY = "busy"
    """There is enough, but not free: wait."""
    ABSENT = "absent"
    """The cluster has no such thing, or never enough of it: fail."""


@dataclass(frozen=True)
class Line:
    """One thing that is asked for, in pieces: GPUs, CPUs or GiB."""

    what: str
    """`H100`, `cpu`, `memory`."""
    demanded: Decimal
    available: Decimal
    missing: Decimal


@dataclass(frozen=True)
class Verdict:
    """`reason` is a sentence for people; empty where it fits."""

    answer: Answer
    lines: tuple[Line, ...] = ()
    reason: str = ""


def judge(
    demands: Sequence[Demand], nodes: Sequence[Node], spread: bool = False,
    quotas: Iterable[tuple[str, Quota]] = (),
) -> Verdict:  # fmt: skip
    """Of all pods of a job together. `quotas` are those of its queue, by resource.

    What could not be placed on the empty cluster is absent; what could, but cannot now, is busy.
    """
    lines, quotas = tuple(_lines(demands, nodes)), list(quotas)
    never = _never(demands, nodes, spread) or _over(demands, quotas)
    if never:
        return Verdict(Answer.ABSENT, lines, never)
    taken = _taken(demands, quotas)
    if taken:
        return Verdict(Answer.BUSY, lines, taken)
    if packs(demands, nodes, spread):
        return Verdict(Answer.FITS, lines)
    return Verdict(Answer.BUSY, lines, _insufficient(demands, nodes, lines, spread))


def _never(demands: Sequence[Demand], nodes: Sequence[Node], spread: bool) -> str:
    """Why the job could not run on the cluster even if nothing else did."""
    empty = [replace(node, free=node.has) for node in nodes]
    for demand in demands:
        if demand.gpus and not matching(nodes, demand.model, demand.resource):
            return _absent(demand, nodes)
        if not candidates(demand, empty):
            return f"no node takes the pods{_of(demand)}: labels, taints, or not ready"
        fit = room(demand, empty, spread)
        if fit < demand.replicas:
            missing = _missing(short(demand, empty), demand)
            many = f"{demand.replicas} replica{'s' * (demand.replicas > 1)}"
            why = f"; missing {missing}" if missing else f": {fit} fit on its nodes, each on one"
            return f"The cluster is too small for {many}{_of(demand)}{why}"
    return _together(demands, empty)


def _together(demands: Sequence[Demand], empty: Sequence[Node]) -> str:
    """The sum of all roles against the sum of all nodes."""
    for resource in sorted({name for demand in demands for name in demand.asks}):
        asked = _total(demands, resource)
        has = sum((node.has.get(resource, Decimal(0)) for node in empty), Decimal(0))
        if asked > has:
            lack = _amount(resource, asked - has)
            return f"The cluster is too small for the roles together; missing {lack}"
    return ""


def _absent(demand: Demand, nodes: Sequence[Node]) -> str:
    models = [each.model or each.resource for each in offerings(nodes)]
    has = (
        f"it has {', '.join(dict.fromkeys(models))}" if models else "it has no GPUs that are ready"
    )
    close = near(demand.model, models, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"The cluster has no {demand.model or demand.resource}: {has}{hint}"


def _taken(demands: Sequence[Demand], quotas: list[tuple[str, Quota]]) -> str:
    """What the queue would admit, were it not used by others."""
    for resource, quota in quotas:
        limit = quota.limit
        if limit is not None and quota.used + _total(demands, resource) > limit:
            left = _amount(resource, max(Decimal(0), limit - quota.used))
            return f"The queue {quota.queue} has {left} left"
    return ""


def _over(demands: Sequence[Demand], quotas: list[tuple[str, Quota]]) -> str:
    """What no quota would ever admit."""
    for resource, quota in quotas:
        asked = _total(demands, resource)
        if quota.limit is not None and asked > quota.limit:
            limit = _amount(resource, quota.limit)
            return f"The queue {quota.queue} admits {limit} at most; asked for {plain(asked)}"
    return ""


def _insufficient(
    demands: Sequence[Demand], nodes: Sequence[Node], lines: Iterable[Line], spread: bool
) -> str:
    replicas = sum(demand.replicas for demand in demands)
    missing = [f"{plain(line.missing)} {_unit(line)}" for line in lines if line.missing > 0]
    if missing:
        return f"Insufficient capacity for {replicas} replica(s); missing {', '.join(missing)}"
    worst = min(demands, key=lambda demand: room(demand, nodes, spread) - demand.replicas)
    fit = min(room(worst, nodes, spread), worst.replicas)
    where = f"{fit} of {worst.replicas} pods{_of(worst)} fit now"
    return (
        f"Insufficient capacity for {replicas} replica(s); enough in sum, but {where}, each on one"
    )


def _lines(demands: Sequence[Demand], nodes: Sequence[Node]) -> Iterable[Line]:
    """GPUs by model, then CPUs and memory, where they are asked for."""
    for key in dict.fromkeys((d.model, d.resource) for d in demands if d.gpus):
        mine = [demand for demand in demands if (demand.model, demand.resource) == key]
        asked = sum((Decimal(d.gpus * d.replicas) for d in mine), Decimal(0))
        found = {n.name: n for demand in mine for n in candidates(demand, nodes)}
        free = sum((node.free.get(key[1], Decimal(0)) for node in found.values()), Decimal(0))
        yield Line(key[0] or key[1], asked, free, max(Decimal(0), asked - free))
    for name in (CPU, MEMORY):
        asked = _total(demands, name)
        if asked:
            found = {n.name: n for demand in demands for n in candidates(demand, nodes)}
            free = sum((node.free.get(name, Decimal(0)) for node in found.values()), Decimal(0))
            scale = Decimal(2**30) if name == MEMORY else Decimal(1)
            yield Line(name, asked / scale, free / scale, max(Decimal(0), asked - free) / scale)


def _total(demands: Iterable[Demand], resource: str) -> Decimal:
    return sum((d.asks.get(resource, Decimal(0)) * d.replicas for d in demands), Decimal(0))


def _missing(short: dict[str, Decimal], demand: Demand) -> str:
    return ", ".join(
        f"{plain(lack)} {demand.model} GPU" if name == demand.resource else _amount(name, lack)
        for name, lack in short.items()
    )


def _amount(resource: str, amount: Decimal) -> str:
    if resource == MEMORY:
        return f"{gib(amount)} GiB of memory"
    return f"{plain(amount)} {'CPU' if resource == CPU else resource}"


def _unit(line: Line) -> str:
    return {CPU: "CPU", MEMORY: "GiB of memory"}.get(line.what, f"{line.what} GPU")


def _of(demand: Demand) -> str:
    return f" of {demand.role}" if demand.role else ""

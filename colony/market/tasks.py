"""Tasks that hand data to each other: where to run each, so that all together cost least.

The order, written once: the sum of all bills, egress between clouds and regions included; equal
sums by the place in its own ranking of the first task of the file, then of the second, and so on.
By sticker each task has its own cheapest machine, wherever its data are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

from colony.market.candidates import Choice, choose
from colony.market.catalog import Catalog
from colony.market.egress import Where, egress, worst_egress
from colony.market.eliminate import Link, TooEntangled, cheapest
from colony.market.plan import Offer
from colony.market.request import Request
from jobs.errors import InputError, NotSupported, Problem
from jobs.problems import did_you_mean

__all__ = ["Task", "TaskPlan", "plan_tasks"]

_MICRO = 1_000_000
"""Sums are whole millionths of a dollar: exact, and the same in whatever order they are made."""


@dataclass(frozen=True)
class Task:
    """`outputs_gb` goes to each task that `needs` this one; `inputs_gb` comes from `inputs_at`."""

    name: str
    candidates: tuple[Request, ...]
    needs: tuple[str, ...] = ()
    ordered: bool = False
    outputs_gb: float = 0.0
    inputs_gb: float = 0.0
    inputs_at: Where | None = None


@dataclass(frozen=True)
class TaskPlan:
    """`offers` by task, each with the egress of what it reads; empty when a task has none."""

    tasks: Sequence[Task]
    choices: Sequence[Choice]
    offers: dict[str, Offer]

    @property
    def total(self) -> float:
        """USD until all is done."""
        return round(sum(offer.expected.total for offer in self.offers.values()), 6)

    @property
    def failed(self) -> str:
        """One line: which tasks have no offer, and why."""
        return "; ".join(
            f"{task.name}: {choice.failed}"
            for task, choice in zip(self.tasks, self.choices, strict=True)
            if not choice.any
        )

    @cached_property
    def notes(self) -> list[str]:
        return list(dict.fromkeys(note for choice in self.choices for note in choice.notes))

    def to_dict(self) -> dict[str, Any]:
        return {
            "tasks": [
                {
                    "name": task.name,
                    "needs": list(task.needs),
                    "requests": [request.to_dict() for request in task.candidates],
                    "chosen": self.offers[task.name].to_dict() if self.offers else None,
                    "refused": choice.refused,
                }
                for task, choice in zip(self.tasks, self.choices, strict=True)
            ],
            "egress": round(sum(offer.expected.egress for offer in self.offers.values()), 6),
            "total": self.total if self.offers else None,
            "notes": self.notes,
        }


def plan_tasks(
    tasks: Sequence[Task],
    catalog: Catalog,
    by: str = "expected",
    today: date | None = None,
    built: Collection[str] | None = None,
) -> TaskPlan:
    """Raises InputError (names, circles), NotSupported (too entangled for an exact answer)."""
    _check(tasks)
    asked = dict.fromkeys((task.candidates, task.ordered) for task in tasks)
    known = {key: choose(key[0], catalog, key[1], 1, by, today, built) for key in asked}
    choices = [known[task.candidates, task.ordered] for task in tasks]
    if not all(choice.any for choice in choices):
        return TaskPlan(tasks, choices, {})
    if by == "sticker":
        chosen = [choice.offers[0] for choice in choices]
    else:
        chosen = _together(tasks, [choice.by_region for choice in choices])
    return TaskPlan(tasks, choices, _with_egress(tasks, chosen))


def _together(tasks: Sequence[Task], options: Sequence[list[Offer]]) -> list[Offer]:
    """One of the options of each task."""
    edges = _edges(tasks)
    money = [
        [_micro(offer.expected.total + _input_cost(task, offer)) for offer in offers]
        for task, offers in zip(tasks, options, strict=True)
    ]
    kept = _worth_it(tasks, options, money, edges)
    # One whole number for the sum and, below it, the place of each task's offer in its ranking.
    base = max(len(offers) for offers in options) + 1
    sizes = [base ** (len(tasks) - 1 - which) for which in range(len(tasks))]
    dollar = base ** len(tasks)
    alone = [
        [costs[state] * dollar + state * size for state in states]
        for costs, states, size in zip(money, kept, sizes, strict=True)
    ]
    places = [
        [options[which][state].where for state in states] for which, states in enumerate(kept)
    ]
    pairs = {
        (source, target): _link(places[source], places[target], tasks[source].outputs_gb, dollar)
        for source, target in edges
    }
    try:
        best = cheapest(alone, pairs)
    except TooEntangled:
        message = f"{len(tasks)} tasks are too entangled for an exact plan"
        raise NotSupported(Problem("tasks", message, "bind some of them to a region")) from None
    return [options[which][kept[which][state]] for which, state in enumerate(best)]


def _link(here: Sequence[Where], there: Sequence[Where], size: float, dollar: int) -> Link:
    """Egress, by the clouds on both sides."""
    clouds = sorted({cloud for cloud, _ in (*here, *there)})
    number = {cloud: place for place, cloud in enumerate(clouds)}
    between = [
        [_micro(egress((left, "a"), (right, "b"), size)) * dollar for right in clouds]
        for left in clouds
    ]
    groups = [number[cloud] for cloud, _ in here], [number[cloud] for cloud, _ in there]
    return Link((here, there), groups, between)


def _worth_it(
    tasks: Sequence[Task],
    options: Sequence[list[Offer]],
    money: Sequence[Sequence[int]],
    edges: Sequence[tuple[int, int]],
) -> list[list[int]]:
    """Without offers that another undercuts by more than all egress that moving there could add."""
    clouds = [sorted({offer.row.cloud for offer in offers}) for offers in options]
    kept = []
    for which, offers in enumerate(options):
        reads = [source for source, target in edges if target == which]
        gives = [tasks[which].outputs_gb for source, _ in edges if source == which]
        arriving = sum(
            max(worst_egress(cloud, tasks[source].outputs_gb) for cloud in clouds[source])
            for source in reads
        )
        limits = {}
        for cloud in clouds[which]:
            least = min(
                cost
                for offer, cost in zip(offers, money[which], strict=True)
                if offer.row.cloud == cloud
            )
            # To another region of the same cloud: data of other clouds cost what they did.
            near = [tasks[source].outputs_gb for source in reads if cloud in clouds[source]]
            within = sum(egress((cloud, "a"), (cloud, "b"), size) for size in near + gives)
            leaving = sum(worst_egress(cloud, size) for size in gives)
            limits[cloud] = (least + _up(within), least + _up(arriving + leaving))
        anywhere = min(limit for _, limit in limits.values())
        kept.append(
            [
                state
                for state, (offer, cost) in enumerate(zip(offers, money[which], strict=True))
                if cost <= min(anywhere, limits[offer.row.cloud][0])
            ]
        )
    return kept


def _up(usd: float) -> int:
    """No rounding makes a limit too low: each egress is rounded once."""
    return _micro(usd) + 1


def _edges(tasks: Sequence[Task]) -> list[tuple[int, int]]:
    """Pairs between which data go."""
    places = {task.name: place for place, task in enumerate(tasks)}
    return [
        (places[name], which)
        for which, task in enumerate(tasks)
        for name in dict.fromkeys(task.needs)
        if tasks[places[name]].outputs_gb
    ]


def _with_egress(tasks: Sequence[Task], chosen: Sequence[Offer]) -> dict[str, Offer]:
    """What a task reads stands in its bill."""
    moved = [_input_cost(task, offer) for task, offer in zip(tasks, chosen, strict=True)]
    for source, target in _edges(tasks):
        gigabytes = tasks[source].outputs_gb
        moved[target] += egress(chosen[source].where, chosen[target].where, gigabytes)
    return {
        task.name: replace(offer, expected=replace(offer.expected, egress=round(cost, 6)))
        for task, offer, cost in zip(tasks, chosen, moved, strict=True)
    }


def _input_cost(task: Task, offer: Offer) -> float:
    return egress(task.inputs_at, offer.where, task.inputs_gb) if task.inputs_at else 0.0


def _micro(usd: float) -> int:
    return round(usd * _MICRO)


def _check(tasks: Sequence[Task]) -> None:
    names = [task.name for task in tasks]
    problems = [
        Problem(f"tasks[{name}]", "another task has this name", "name each differently")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    for task in tasks:
        for name in task.needs:
            if name not in names:
                hint = did_you_mean(name, names, "name a task of the file")
                problems.append(Problem(f"tasks[{task.name}].needs", f"no task `{name}`", hint))
    if not problems and (circle := _circle(tasks)):
        message = f"wait for each other: {', '.join(circle)}"
        problems.append(Problem("tasks", message, "break the circle"))
    if problems:
        raise InputError(*problems)


def _circle(tasks: Sequence[Task]) -> list[str]:
    """Tasks that can never start."""
    waiting = {task.name: set(task.needs) for task in tasks}
    while ready := [name for name, needs in waiting.items() if not needs & set(waiting)]:
        for name in ready:
            del waiting[name]
    return list(waiting)

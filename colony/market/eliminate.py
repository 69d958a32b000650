"""The cheapest joint choice of things that cost something alone and in pairs: exact.

Variables are eliminated one by one (dynamic programming): in chains and trees each step looks at
one neighbour, in other graphs at as many as the graph is entangled. A pair's cost is mostly that
of its groups, so that a group's cheapest state stands for all of them: one factor less of work.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

__all__ = ["Link", "TooEntangled", "cheapest"]

_States = tuple[int, ...]
_Vectors = Mapping[_States, Sequence[int]]
"""States of the others -> what each state of the variable costs with them."""

_LARGEST = 3_000_000
"""Sums in one step: about a second."""


class TooEntangled(Exception):
    """An exact answer would take too long."""


@dataclass(frozen=True)
class Link:
    """What states of two variables cost together: nothing at the same place, else what is
    `between` their groups, from 0. No two states of one variable share a place."""

    places: tuple[Sequence[Hashable], Sequence[Hashable]]
    groups: tuple[Sequence[int], Sequence[int]]
    between: Sequence[Sequence[int]]

    @cached_property
    def table(self) -> list[list[int]]:
        (here, there), (mine, theirs) = self.places, self.groups
        return [
            [
                0 if place == other else self.between[group][another]
                for other, another in zip(there, theirs, strict=True)
            ]
            for place, group in zip(here, mine, strict=True)
        ]

    def least(self, costs: Sequence[int], side: int) -> tuple[list[int], list[int]]:
        """For each state of the other side: the least of `costs` of this side with the link, and
        the state of this side that has it."""
        mine, theirs = self.groups[side], self.groups[1 - side]
        by_group: dict[int, tuple[int, int]] = {}
        for state, (group, cost) in enumerate(zip(mine, costs, strict=True)):
            if group not in by_group or cost < by_group[group][0]:
                by_group[group] = (cost, state)
        moved = {
            other: min(
                (cost + self._between(group, other, side), state)
                for group, (cost, state) in by_group.items()
            )
            for other in set(theirs)
        }
        sums, states = [], []
        for same, group in zip(self._same[side], theirs, strict=True):
            cost, state = moved[group]
            if same is not None and costs[same] <= cost:
                cost, state = costs[same], same
            sums.append(cost)
            states.append(state)
        return sums, states

    def _between(self, group: int, other: int, side: int) -> int:
        return self.between[other][group] if side else self.between[group][other]

    @cached_property
    def _same(self) -> list[list[int | None]]:
        """By side, for each state of the other side: the state at its place."""
        at = [{place: state for state, place in enumerate(side)} for side in self.places]
        return [[at[side].get(place) for place in self.places[1 - side]] for side in (0, 1)]


@dataclass(frozen=True)
class _Factor:
    """What states of `scope` cost together: `rows` of all but the last, by states of the last."""

    scope: tuple[int, ...]
    rows: dict[_States, list[int]]
    link: Link | None = None

    def of(self, variable: int, sizes: Sequence[int]) -> tuple[tuple[int, ...], _Vectors]:
        rows = self.rows
        if self.link:
            rows = {(state,): line for state, line in enumerate(self.link.table)}
        place = self.scope.index(variable)
        others = self.scope[:place] + self.scope[place + 1 :]
        if place == len(others):
            return others, rows
        if place == 0 and len(others) == 1:
            lines = zip(*rows.values(), strict=True)
            return others, {(state,): line for state, line in enumerate(lines)}
        states = [(state,) for state in range(sizes[variable])]
        return others, {
            rest: [rows[rest[:place] + state + rest[place:-1]][rest[-1]] for state in states]
            for rest in product(*(range(sizes[other]) for other in others))
        }


@dataclass(frozen=True)
class _Step:
    """The best state of the variable, in rows like a factor's."""

    variable: int
    around: tuple[int, ...]
    rows: dict[_States, list[int]]

    def best(self, chosen: Mapping[int, int]) -> int:
        states = tuple(chosen[other] for other in self.around)
        return self.rows[states[:-1]][states[-1] if states else 0]


def cheapest(
    alone: Sequence[Sequence[int]],
    pairs: Mapping[tuple[int, int], Link],
    largest: int = _LARGEST,
) -> list[int]:
    """The state of each variable; `alone[v][s]` are whole-number costs.

    The answer is the only one where no two sums are equal. Raises TooEntangled.
    """
    sizes = [len(costs) for costs in alone]
    factors = [_Factor(pair, {}, link) for pair, link in pairs.items()]
    left, steps = set(range(len(alone))), []
    while left:
        variable = _next(left, factors, sizes)
        mine = [factor for factor in factors if variable in factor.scope]
        factors = [factor for factor in factors if variable not in factor.scope]
        step, rows = _eliminate(variable, alone[variable], mine, sizes, largest)
        if step.around:
            factors.append(_Factor(step.around, rows))
        steps.append(step)
        left.remove(variable)
    chosen: dict[int, int] = {}
    for step in reversed(steps):
        chosen[step.variable] = step.best(chosen)
    return [chosen[variable] for variable in range(len(alone))]


def _next(left: set[int], factors: Sequence[_Factor], sizes: Sequence[int]) -> int:
    """The variable whose elimination is least work."""
    around: dict[int, set[int]] = {variable: {variable} for variable in left}
    for factor in factors:
        for variable in factor.scope:
            around[variable].update(factor.scope)
    work = {variable: prod(sizes[each] for each in around[variable]) for variable in left}
    return min(left, key=lambda each: (work[each], each))


def _eliminate(
    variable: int,
    alone: Sequence[int],
    mine: Sequence[_Factor],
    sizes: Sequence[int],
    largest: int,
) -> tuple[_Step, dict[_States, list[int]]]:
    last = _last(variable, mine, sizes)
    others = {each for factor in mine for each in factor.scope if factor is not last}
    rest = tuple(sorted(others - {variable}))
    if prod(sizes[each] for each in (variable, *rest)) > largest:
        raise TooEntangled
    places = {other: place for place, other in enumerate(rest)}
    parts = [
        ([places[other] for other in scope], vectors)
        for scope, vectors in (factor.of(variable, sizes) for factor in mine if factor is not last)
    ]
    best: dict[_States, list[int]] = {}
    rows: dict[_States, list[int]] = {}
    for states in product(*(range(sizes[other]) for other in rest)):
        vectors = [vectors[tuple([states[place] for place in at])] for at, vectors in parts]
        sums = list(map(sum, zip(alone, *vectors, strict=True))) if vectors else alone
        if last and last.link:
            rows[states], best[states] = last.link.least(sums, last.scope.index(variable))
        else:
            least = min(sums)
            rows.setdefault(states[:-1], []).append(least)
            best.setdefault(states[:-1], []).append(sums.index(least))
    around = rest if last is None else (*rest, *(each for each in last.scope if each != variable))
    return _Step(variable, around, best), rows


def _last(variable: int, mine: Sequence[_Factor], sizes: Sequence[int]) -> _Factor | None:
    """The link to the largest neighbour that nothing else here knows: its groups are enough."""
    known = [each for factor in mine for each in factor.scope]
    links = [
        (sizes[other], other, factor)
        for factor in mine
        if factor.link
        for other in factor.scope
        if other != variable and known.count(other) == 1
    ]
    return max(links, key=lambda entry: entry[:2])[2] if links else None

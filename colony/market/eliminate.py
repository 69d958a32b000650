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

    def least(self, costs: Sequence[int], side: int) -> list[tuple[int, int]]:
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
        at = self._at[side]
        found = []
        for place, group in zip(self.places[1 - side], theirs, strict=True):
            best, same = moved[group], at.get(place)
            found.append(best if same is None or costs[same] > best[0] else (costs[same], same))
        return found

    def _between(self, group: int, other: int, side: int) -> int:
        return self.between[other][group] if side else self.between[group][other]

    @cached_property
    def _at(self) -> list[dict[Hashable, int]]:
        return [{place: state for state, place in enumerate(side)} for side in self.places]


@dataclass(frozen=True)
class _Factor:
    """What states of `scope`, in that order, cost together."""

    scope: tuple[int, ...]
    costs: dict[_States, int]
    link: Link | None = None

    def of(self, variable: int, sizes: Sequence[int]) -> tuple[tuple[int, ...], _Vectors]:
        place = self.scope.index(variable)
        others = self.scope[:place] + self.scope[place + 1 :]
        if self.link:
            table = self.link.table
            lines = table if place else list(map(list, zip(*table, strict=True)))
            return others, {(state,): line for state, line in enumerate(lines)}
        ranges = [range(sizes[other]) for other in others]
        states = [(state,) for state in range(sizes[variable])]
        return others, {
            rest: [self.costs[rest[:place] + state + rest[place:]] for state in states]
            for rest in product(*ranges)
        }


@dataclass(frozen=True)
class _Step:
    """`best` state of the variable for the states `around` it."""

    variable: int
    around: tuple[int, ...]
    best: dict[_States, int]


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
        step, costs = _eliminate(variable, alone[variable], mine, sizes, largest)
        factors.append(_Factor(step.around, costs))
        steps.append(step)
        left.remove(variable)
    chosen: dict[int, int] = {}
    for step in reversed(steps):
        chosen[step.variable] = step.best[tuple(chosen[other] for other in step.around)]
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
) -> tuple[_Step, dict[_States, int]]:
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
    best: dict[_States, int] = {}
    costs: dict[_States, int] = {}
    for states in product(*(range(sizes[other]) for other in rest)):
        vectors = [vectors[tuple([states[place] for place in at])] for at, vectors in parts]
        sums = list(map(sum, zip(alone, *vectors, strict=True)))
        if last is None or last.link is None:
            costs[states] = least = min(sums)
            best[states] = sums.index(least)
            continue
        found = last.link.least(sums, last.scope.index(variable))
        for state, (cost, chosen) in enumerate(found):
            key = (*states, state)
            costs[key], best[key] = cost, chosen
    around = rest if last is None else (*rest, *(each for each in last.scope if each != variable))
    return _Step(variable, around, best), costs


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

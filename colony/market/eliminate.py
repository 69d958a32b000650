"""The cheapest joint choice of things that cost something alone and in pairs: exact.

Variables are eliminated one by one (dynamic programming): in chains and trees each step looks at
one neighbour, in other graphs at as many as the graph is entangled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

__all__ = ["Pairs", "TooEntangled", "cheapest"]

Pairs = Mapping[tuple[int, int], Sequence[Sequence[int]]]
_States = tuple[int, ...]
_Vectors = dict[_States, Sequence[int]]
"""States of the others -> what each state of the variable costs."""

_LARGEST = 2_000_000
"""Sums in one step: about a second."""


class TooEntangled(Exception):
    """An exact answer would take too long."""


@dataclass(frozen=True)
class _Factor:
    """What states of `scope`, in that order, cost together."""

    scope: tuple[int, ...]
    costs: dict[_States, int]
    rows: Sequence[Sequence[int]] = ()
    """Of a pair: the same, as a table."""

    def of(self, variable: int, sizes: Sequence[int]) -> tuple[tuple[int, ...], _Vectors]:
        place = self.scope.index(variable)
        others = self.scope[:place] + self.scope[place + 1 :]
        if self.rows:
            lines = self.rows if place else list(zip(*self.rows, strict=True))
            return others, {(state,): line for state, line in enumerate(lines)}
        ranges = [range(sizes[other]) for other in others]
        states = [(state,) for state in range(sizes[variable])]
        return others, {
            rest: [self.costs[rest[:place] + state + rest[place:]] for state in states]
            for rest in product(*ranges)
        }


@dataclass(frozen=True)
class _Step:
    variable: int
    around: tuple[int, ...]
    best: dict[_States, int]


def cheapest(alone: Sequence[Sequence[int]], pairs: Pairs, largest: int = _LARGEST) -> list[int]:
    """The state of each variable. `alone[v][s]`, and `pairs[v, w][s][t]`: whole-number costs.

    The answer is the only one where no two sums are equal. Raises TooEntangled.
    """
    sizes = [len(costs) for costs in alone]
    factors = [_Factor(pair, {}, rows) for pair, rows in pairs.items()]
    left, steps = set(range(len(alone))), []
    while left:
        variable, around = _next(left, factors, sizes)
        if prod(sizes[each] for each in (variable, *around)) > largest:
            raise TooEntangled
        mine = [factor for factor in factors if variable in factor.scope]
        step, costs = _eliminate(variable, around, alone[variable], mine, sizes)
        factors = [factor for factor in factors if variable not in factor.scope]
        factors.append(_Factor(around, costs))
        steps.append(step)
        left.remove(variable)
    chosen: dict[int, int] = {}
    for step in reversed(steps):
        chosen[step.variable] = step.best[tuple(chosen[other] for other in step.around)]
    return [chosen[variable] for variable in range(len(alone))]


def _next(
    left: set[int], factors: Sequence[_Factor], sizes: Sequence[int]
) -> tuple[int, tuple[int, ...]]:
    """The variable whose elimination is least work, and its neighbours."""
    around: dict[int, set[int]] = {variable: set() for variable in left}
    for factor in factors:
        for variable in factor.scope:
            around[variable].update(factor.scope)
    work = {
        variable: prod(sizes[other] for other in {variable, *around[variable]}) for variable in left
    }
    variable = min(left, key=lambda each: (work[each], each))
    return variable, tuple(sorted(around[variable] - {variable}))


def _eliminate(
    variable: int,
    around: tuple[int, ...],
    alone: Sequence[int],
    mine: Sequence[_Factor],
    sizes: Sequence[int],
) -> tuple[_Step, dict[_States, int]]:
    places = {other: place for place, other in enumerate(around)}
    parts = [
        ([places[other] for other in others], vectors)
        for others, vectors in (factor.of(variable, sizes) for factor in mine)
    ]
    best: dict[_States, int] = {}
    costs: dict[_States, int] = {}
    for states in product(*(range(sizes[other]) for other in around)):
        vectors = [vectors[tuple(states[place] for place in at)] for at, vectors in parts]
        sums = list(map(sum, zip(alone, *vectors, strict=True)))
        costs[states] = least = min(sums)
        best[states] = sums.index(least)
    return _Step(variable, around, best), costs

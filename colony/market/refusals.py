"""Why rows are no offers: one reason each, how many, and what nearly fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from colony.market.lanes import Kinds, Lane, either_price
from colony.market.rows import Row, tie
from colony.market.rules import Rule
from jobs.problems import near

__all__ = ["Kinds", "Refusal", "Sifted", "sift", "sifted_text"]

_NEAR = 3


@dataclass(frozen=True)
class Refusal:
    """The rows that broke `rules[place]` and none before it."""

    reason: str
    kinds: Kinds
    rules: Sequence[Rule]
    place: int
    names: tuple[str, ...] = ()
    """Near matches where there are no rows at all."""

    @property
    def count(self) -> int:
        return sum(map(len, self.kinds))

    def to_dict(self) -> dict[str, object]:
        return {"reason": self.reason, "count": self.count, "near": self.near()}

    def near(self) -> list[str]:
        """What to ask for instead: of the rows that break nothing else, the likest and cheapest."""
        if not self.kinds:
            return list(self.names)
        rule, kinds = self.rules[self.place], self.kinds
        for other in sorted(self.rules[self.place + 1 :], key=lambda other: not other.of_kind):
            kinds, _ = _split(kinds, other)
        if rule.of_kind and not rule.names_places:
            best = _best_kinds(rule, kinds)
        else:
            best = _best_rows(rule, kinds)
        alike = near(rule.asked, sorted(_names(rule, kinds, best)), _NEAR) if rule.asked else []
        ranked = sorted(best, key=lambda name: (best[name], name))
        return list(dict.fromkeys([*alike, *ranked]))[:_NEAR]


Sifted = tuple[Kinds, list[Refusal]]
_Best = dict[str, tuple[Any, ...]]


def sift(kinds: Kinds, rules: Sequence[Rule]) -> Sifted:
    """The rows for which every rule holds, and why the others were refused."""
    refusals: list[Refusal] = []
    for place, rule in enumerate(rules):
        kinds, broken = _split(kinds, rule)
        groups = _by_reason(broken, rule)
        refusals += [Refusal(why, those, rules, place) for why, those in groups]
    return kinds, refusals


def _split(kinds: Kinds, rule: Rule) -> tuple[Kinds, Kinds]:
    """The rows for which the rule holds, and those for which it does not."""
    holds = rule.holds
    if rule.of_kind:
        verdicts = [holds(rows[0]) for rows in kinds]
        pairs = list(zip(kinds, verdicts, strict=True))
        return [rows for rows, ok in pairs if ok], [rows for rows, ok in pairs if not ok]
    parts = list(map(rule.parts or (lambda lane: _parts(lane, holds)), kinds))
    return [good for good, _ in parts if good], [bad for _, bad in parts if bad]


def _parts(lane: Lane, holds: Callable[[Row], bool]) -> tuple[Lane, Lane]:
    good = Lane(row for row in lane if holds(row))
    return good, Lane(row for row in lane if not holds(row)) if len(good) < len(lane) else Lane()


def _names(rule: Rule, kinds: Kinds, best: _Best) -> Iterable[str]:
    return best if rule.of_kind else {rule.near(row) for rows in kinds for row in rows}


def _best_kinds(rule: Rule, kinds: Kinds) -> _Best:
    """Each name with the best that has it; of a kind of machine only the cheapest price counts.
    Where names are not compared with what was asked, the nearest few are enough."""
    best: _Best = {}
    by_gap: dict[float, list[Lane]] = {}
    for lane in kinds:
        by_gap.setdefault(rule.gap(lane[0]), []).append(lane)
    for gap in sorted(by_gap):
        if len(best) >= _NEAR and not rule.asked:
            break
        for lane in by_gap[gap]:
            row = lane.first
            name, order = rule.near(row), (gap, either_price(row), *tie(row))
            best[name] = min(best.get(name, order), order)
    return best


def _best_rows(rule: Rule, kinds: Kinds) -> _Best:
    """The same of the few best rows, of which each may have another name."""
    best: _Best = {}
    least = [rule.gap(lane[0]) if rule.by_price else lane.least for lane in kinds]
    last = math.inf
    for place in sorted(range(len(kinds)), key=least.__getitem__):
        if least[place] > last:
            break
        for row in kinds[place] if rule.by_price else kinds[place].ranked:
            price = rule.gap(row) if rule.by_price else either_price(row)
            if price > last:
                break
            name, order = rule.near(row), (rule.gap(row), either_price(row), *tie(row))
            best[name] = min(best.get(name, order), order)
            if len(best) >= _NEAR:
                last = sorted(best.values())[_NEAR - 1][not rule.by_price]
    return best


def sifted_text(refusals: Sequence[Refusal]) -> str:
    """One line: the refusals that something nearly met, else the last one."""
    shown = [(refusal.reason, refusal.near()) for refusal in refusals]
    told = [pair for pair in shown if pair[1]] or shown[-1:]
    return "; ".join(
        f"{reason} (near: {', '.join(near)})" if near else reason for reason, near in told
    )


def _by_reason(kinds: Kinds, rule: Rule) -> list[tuple[str, Kinds]]:
    """A rule that splits is one of kinds."""
    groups: dict[str, Kinds] = {}
    if kinds and not rule.splits:
        return [(rule.reason(kinds[0][0]), kinds)]
    for rows in kinds:
        groups.setdefault(rule.reason(rows[0]), []).append(rows)
    return sorted(groups.items(), key=lambda group: group[0])

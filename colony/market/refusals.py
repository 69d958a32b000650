"""Why rows are no offers: one reason each, how many, and what nearly fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colony.market.rows import Row, tie
from colony.market.rules import Rule
from jobs.problems import near

__all__ = ["Kinds", "Refusal", "Sifted", "sift", "sifted_text"]

_NEAR = 3

Kinds = list[list[Row]]
"""Rows by kind of machine; none is empty."""


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
        for other in self.rules[self.place + 1 :]:
            kinds, _ = _split(kinds, other)
        if rule.of_kind and not rule.names_places:
            kinds = [[_cheapest(rows)] for rows in kinds]
        best: dict[str, tuple[object, ...]] = {}
        for row in sorted((row for rows in kinds for row in rows), key=_price):
            name, order = rule.near(row), (rule.gap(row), _price(row))
            known = best.get(name)
            if known is None or order <= known[:2]:  # rare, as the cheaper of a name come first
                best[name] = min(known or (*order, *tie(row)), (*order, *tie(row)))
        alike = near(rule.asked, sorted(best), _NEAR) if rule.asked else []
        ranked = sorted(best, key=lambda name: (best[name], name))
        return list(dict.fromkeys([*alike, *ranked]))[:_NEAR]


Sifted = tuple[Kinds, list[Refusal]]


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
    kept, broken = [], []
    for rows in kinds:
        good = [row for row in rows if holds(row)]
        if good:
            kept.append(good)
        if len(good) < len(rows):
            broken.append([row for row in rows if not holds(row)])
    return kept, broken


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


def _cheapest(rows: list[Row]) -> Row:
    prices = list(map(_price, rows))
    least = min(prices)
    return min((row for row, price in zip(rows, prices, strict=True) if price == least), key=tie)


def _price(row: Row) -> float:
    return row.price or row.spot_price or 0.0

"""Why rows are no offers: one reason each, how many, and what nearly fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_

from colony.market.rows import Row, tie
from colony.market.rules import Rule
from jobs.problems import near

__all__ = ["Refusal", "Sifted", "sift", "sifted_text"]

_NEAR = 3


@dataclass(frozen=True)
class Refusal:
    """The rows that broke `rules[place]` and none before it."""

    reason: str
    rows: Sequence[Row]
    rules: Sequence[Rule]
    place: int
    names: tuple[str, ...] = ()
    """Near matches where there are no rows at all."""

    def to_dict(self) -> dict[str, object]:
        return {"reason": self.reason, "count": len(self.rows), "near": self.near()}

    def near(self) -> list[str]:
        """What to ask for instead: of the rows that break nothing else, the likest and cheapest."""
        if not self.rows:
            return list(self.names)
        rule, rows = self.rules[self.place], self.rows
        for other in self.rules[self.place + 1 :]:
            rows = [row for row in rows if other.holds(row)]
        best: dict[str, tuple[object, ...]] = {}
        for row in sorted(rows, key=_price):  # then the first of a name is mostly its best
            name, order = rule.near(row), (rule.gap(row), _price(row))
            known = best.get(name)
            if known is None or order <= known[:2]:
                best[name] = min(known or (*order, *tie(row)), (*order, *tie(row)))
        alike = near(rule.asked, sorted(best), _NEAR) if rule.asked else []
        ranked = sorted(best, key=lambda name: (best[name], name))
        return list(dict.fromkeys([*alike, *ranked]))[:_NEAR]


Sifted = tuple[list[Row], list[Refusal]]


def sift(rows: list[Row], rules: Sequence[Rule]) -> Sifted:
    """The rows for which every rule holds, in their order, and why the others were refused."""
    refusals: list[Refusal] = []
    for place, rule in enumerate(rules):
        holds = [rule.holds(row) for row in rows]
        if not all(holds):
            broken = list(compress(rows, map(not_, holds)))
            groups = _by_reason(broken, rule)
            refusals += [Refusal(why, those, rules, place) for why, those in groups]
            rows = list(compress(rows, holds))
    return rows, refusals


def sifted_text(refusals: Sequence[Refusal]) -> str:
    """One line: the refusals that something nearly met, else the last one."""
    shown = [(refusal.reason, refusal.near()) for refusal in refusals]
    told = [pair for pair in shown if pair[1]] or shown[-1:]
    return "; ".join(
        f"{reason} (near: {', '.join(near)})" if near else reason for reason, near in told
    )


def _by_reason(rows: list[Row], rule: Rule) -> list[tuple[str, list[Row]]]:
    if not rule.splits:
        return [(rule.reason(rows[0]), rows)]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(rule.reason(row), []).append(row)
    return sorted(groups.items())


def _price(row: Row) -> float:
    return row.price or row.spot_price or 0.0

"""A receipt computed again from a world's ledger alone, by other means than the receipt's own.

It knows nothing of parts, spans or the state: it replays the file line by line, like a meter that
is read whenever a line comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["Audit", "audit"]

MILLISECOND, CENT = Decimal("0.001"), Decimal("0.01")


@dataclass(frozen=True)
class Audit:
    """What the ledger says of one life: USD, seconds of all things together, and what is odd."""

    usd: Decimal
    seconds: Decimal
    bills: int
    oddities: list[str]

    def agrees(self, receipt: Mapping[str, Any]) -> bool:
        """To half a cent, and to a millisecond a bill: a second command rounds on its own."""
        cost = receipt["cost"]
        same = abs(self.usd - Decimal(str(cost["total"]))) < CENT / 2
        seconds = Decimal(str(cost["billed_seconds"]))
        close = abs(self.seconds - seconds) <= self.bills * MILLISECOND
        return same and close and not self.oddities


def audit(lines: Iterable[Mapping[str, Any]], stack: str, since: float, until: float) -> Audit:
    """Of a stack's bills between two moments (unix seconds), from a ledger's lines in order."""
    usd = seconds = Decimal(0)
    bills = 0
    prices: dict[tuple[str, str], set[Decimal]] = {}
    read: dict[tuple[str, str], Decimal] = {}
    oddities = []
    for line in lines:
        thing = (line["type"], line["id"])
        if line["op"] == "create":
            prices.setdefault(thing, set()).add(Decimal(str(line["usd_per_hour"])))
        if line["op"] != "bill" or line["stack"] != stack or not since <= line["from"] < until:
            continue
        bills += 1
        start, end = _moment(line["from"]), _moment(line["to"])
        price = Decimal(str(line["usd_per_hour"]))
        if price not in prices.get(thing, set()):
            oddities.append(f"{line['id']} is billed at {price}, which it never cost")
        if start < read.get(thing, start):
            oddities.append(f"{line['id']} is billed twice")
        read[thing] = end
        seconds += end - start
        usd += (end - start) * price / 3600
    return Audit(usd, seconds, bills, oddities)


def _moment(seconds: float) -> Decimal:
    return _rounded(Decimal(str(seconds)), MILLISECOND)


def _rounded(value: Decimal, to: Decimal) -> Decimal:
    return value.quantize(to, ROUND_HALF_UP)

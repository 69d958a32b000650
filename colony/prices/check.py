"""Whether new prices can be right: their unit, and that nothing was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from colony.market.rows import Row
from colony.prices.errors import Refused
from colony.prices.facts import source_facts

__all__ = ["check"]


def check(cloud: str, new: Sequence[Row], known: Sequence[Row], before: Sequence[Row]) -> None:
    """`known` are the prices that these replace, `before` what the same source said last.

    Raises Refused.
    """
    if not any(row.price or row.spot_price for row in new):
        raise Refused(f"{cloud}: no price in the answer")
    _unit(cloud, new, known)
    share = source_facts()["share"]
    if len(new) < share * len(before):
        message = f"{len(new)} rows, and there were {len(before)}: cut off?"
        raise Refused(f"{cloud}: {message}")


def _unit(cloud: str, new: Sequence[Row], known: Sequence[Row]) -> None:
    facts = source_facts()
    old = _hourly(known)
    ratios = [price / old[key] for key, price in _hourly(new).items() if key in old]
    if ratios:
        middle, most = median(ratios), facts["ratio"]
        if not 1 / most <= middle <= most:
            message = f"prices are {middle:.3g} times those known: is the unit still USD per hour?"
            raise Refused(f"{cloud}: {message}")
        return
    each = [row.price / row.gpus for row in new if row.price and row.gpus]
    least, most = facts["gpu_hour"]
    if each and not least <= median(each) <= most:
        message = f"a GPU costs {median(each):.3g} in the middle: is the unit USD per hour?"
        raise Refused(f"{cloud}: {message}")


def _hourly(rows: Sequence[Row]) -> dict[tuple[str, str, bool], float]:
    """The cheapest of each machine, region and kind of price."""
    found: dict[tuple[str, str, bool], float] = {}
    for row in rows:
        for spot in (False, True):
            if price := row.price_as(spot):
                key = (row.instance_type, row.region, spot)
                found[key] = min(price, found.get(key, price))
    return found

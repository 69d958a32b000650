"""One job that may run on any of several kinds of machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from heapq import merge
from itertools import chain, islice
from typing import Any

from colony.market.catalog import Catalog
from colony.market.egress import Where
from colony.market.plan import Offer, Plan, order, plan
from colony.market.request import Request

__all__ = ["Choice", "choose"]


@dataclass(frozen=True)
class Choice:
    """The plans of all candidates; offers of each are feasible and ranked."""

    plans: Sequence[Plan]
    ordered: bool
    """The first candidate that has an offer, not the cheapest of all."""
    top: int | None = None

    @cached_property
    def offers(self) -> list[Offer]:
        """The best `top`, or all; of equal ones, the earlier candidate's first."""
        return [offer for _, offer in self.ranked]

    @cached_property
    def by_region(self) -> list[Offer]:
        """The best of each region, ranked, whatever `top` is; `ordered`: of the first candidate
        that has any."""
        by = self.plans[0].by
        if self.ordered:
            return next((made.by_region for made in self.plans if made.fitting), [])
        offers = [offer for made in self.plans for offer in made.by_region]
        best: dict[Where, Offer] = {}
        for offer in sorted(offers, key=lambda offer: order(offer, by)):
            best.setdefault(offer.where, offer)
        return list(best.values())

    @property
    def any(self) -> bool:
        """Whether there is an offer."""
        return any(made.fitting for made in self.plans)

    @property
    def chosen(self) -> Offer | None:
        return self.offers[0] if self.offers else None

    @property
    def candidate(self) -> int | None:
        """Which candidate `chosen` is of."""
        return self.ranked[0][0] if self.ranked else None

    @property
    def failed(self) -> str:
        """One line: what each candidate failed by."""
        return "; ".join(made.failed for made in self.plans if not made.fitting)

    @property
    def refused(self) -> list[dict[str, object]]:
        return [
            {**refused, "candidate": which}
            for which, made in enumerate(self.plans)
            for refused in made.refused
        ]

    @property
    def notes(self) -> list[str]:
        return list(dict.fromkeys(note for made in self.plans for note in made.notes))

    def to_dict(self) -> dict[str, Any]:
        """As of one plan, with the candidates; `candidate` counts them from 0."""
        offers = [{**offer.to_dict(), "candidate": which} for which, offer in self.ranked]
        return {
            "requests": [made.request.to_dict() for made in self.plans],
            "ordered": self.ordered,
            "by": self.plans[0].by,
            "offers": offers,
            "chosen": offers[0] if offers else None,
            "refused": self.refused,
            "found": sum(made.found for made in self.plans),
            "notes": self.notes,
        }

    @cached_property
    def ranked(self) -> list[tuple[int, Offer]]:
        """`offers`, each with the place of its candidate."""
        each = [[(which, offer) for offer in made.offers] for which, made in enumerate(self.plans)]
        if self.ordered:
            found: Iterable[tuple[int, Offer]] = chain.from_iterable(each)
        else:
            found = merge(*each, key=lambda pair: (order(pair[1], self.plans[0].by), pair[0]))
        return list(islice(found, self.top))


def choose(
    candidates: Sequence[Request],
    catalog: Catalog,
    ordered: bool = False,
    top: int | None = None,
    by: str = "expected",
    today: date | None = None,
    built: Collection[str] | None = None,
) -> Choice:
    """The cheapest of any of the candidates; `ordered`: of the first that has an offer, the others
    following. Candidates of different sizes are compared by what the whole job costs.

    Raises ValueError without candidates.
    """
    if not candidates:
        raise ValueError("no candidates")
    plans = [plan(one, catalog, top, by, today, built) for one in candidates]
    return Choice(plans, ordered, top)

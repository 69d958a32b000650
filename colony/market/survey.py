"""What each job of a colony can run on: all offers of all its candidates, in and outside of the
clusters of the file, ranked, with the one that a run would take.

The order is that of a plan. What is chosen is what `settle` places, which may not be the cheapest:
jobs share clusters, and what the file has is taken before anything is bought.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from colony.market.candidates import choose
from colony.market.needs import ClusterNeed, assign, clusters_of
from colony.market.own import Terms, in_cluster
from colony.market.plan import Offer, order
from colony.market.request import Request, candidates_of, request_of
from colony.market.settle import Settled, settle
from components.spec import ColonySpec
from jobs.errors import ColonyError
from jobs.spec import Job, Preference

__all__ = ["JobPlan", "Survey", "survey"]

Pair = tuple[int, Offer]
"""The candidate's place, and an offer for it."""


@dataclass
class JobPlan:
    """`best` holds the best offer of each region, for the choice."""

    job: str
    requests: Sequence[Request]
    ordered: bool
    offers: list[Pair] = field(default_factory=list)
    best: list[Pair] = field(default_factory=list)
    chosen: Pair | None = None
    refused: list[dict[str, Any]] = field(default_factory=list)
    found: int = 0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `colony plan`; `candidate` counts them from 0."""
        chosen = self.chosen
        return {
            "job": self.job,
            "request": self.requests[chosen[0] if chosen else 0].to_dict(),
            "requests": [request.to_dict() for request in self.requests],
            "ordered": self.ordered,
            "offers": [_shown(pair) for pair in self.offers],
            "chosen": _shown(chosen) if chosen else None,
            "refused": self.refused,
            "found": self.found,
            "notes": list(dict.fromkeys(self.notes)),
        }


@dataclass(frozen=True)
class Survey:
    """One plan a job, and what would be bought for all; where that cannot be, `failed` says why."""

    plans: list[JobPlan]
    settled: Settled | None
    failed: str = ""


def survey(spec: ColonySpec, terms: Terms) -> Survey:
    """Raises InputError for clusters that cannot be, and jobs that do not fit together."""
    settled, failed = None, ""
    try:
        settled = settle(spec, terms.catalog, terms.by, terms.built)
    except ColonyError as error:
        failed = str(error)
    needs = clusters_of(spec)
    return Survey([_job_plan(job, needs, settled, terms) for job in spec.jobs], settled, failed)


def _job_plan(job: Job, needs: list[ClusterNeed], settled: Settled | None, terms: Terms) -> JobPlan:
    candidates = candidates_of(job)
    made = JobPlan(job.name, list(map(request_of, candidates)), _ordered(job))
    if needs:
        _in_clusters(made, candidates, needs, terms)
    else:
        _anywhere(made, terms)
    _choose(made, job, settled, terms)
    if needs:
        _take(made, candidates, needs)
    return made


def _anywhere(made: JobPlan, terms: Terms) -> None:
    choice = choose(
        made.requests, terms.catalog, made.ordered, terms.top, terms.by, terms.today, terms.built
    )
    several = len(made.requests) > 1
    made.offers = list(choice.ranked)
    made.best = [(which, o) for which, plan in enumerate(choice.plans) for o in plan.by_region]
    made.refused = choice.refused if several else choice.plans[0].refused
    made.found = sum(plan.found for plan in choice.plans)
    made.notes = choice.notes
    made.chosen = made.offers[0] if made.offers else None


def _in_clusters(
    made: JobPlan, candidates: Sequence[Job], needs: Iterable[ClusterNeed], terms: Terms
) -> None:
    for need in needs:
        for which, candidate in enumerate(candidates):
            found = in_cluster(need, candidate, terms)
            made.offers += [(which, offer) for offer in found.offers]
            made.best += [(which, offer) for offer in found.best]
            made.refused += found.refused
            made.found += found.count
            made.notes += found.notes

    def rank(pair: Pair) -> tuple[Any, ...]:
        which, offer = pair
        return (which if made.ordered else 0, *order(offer, terms.by), offer.cluster, which)

    made.refused = _told_once(made.refused)
    made.offers = list(islice(sorted(made.offers, key=rank), terms.top))
    made.best.sort(key=rank)


def _told_once(refused: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows of the catalogue are refused for every cluster that cannot have them."""
    found: dict[str, dict[str, Any]] = {}
    for each in refused:
        known = found.setdefault(each["reason"], {**each, "near": []})
        known["count"] = max(known["count"], each["count"])
        known["near"] = list(dict.fromkeys([*known["near"], *each["near"]]))
    return list(found.values())


def _choose(made: JobPlan, job: Job, settled: Settled | None, terms: Terms) -> None:
    """What was placed, and a word where that is not the first of the offers."""
    if settled is None:
        return
    placed = next(each for each in settled.spec.jobs if each.name == job.name)
    which = [each.resources for each in candidates_of(job)].index(placed.resources)
    name = settled.placement.jobs[job.name]
    cluster = next(each for each in settled.placement.clusters if each.name == name)
    where = (cluster.cloud, cluster.region)
    mine = [
        pair
        for pair in made.best
        if pair[0] == which and pair[1].where == where and pair[1].cluster in ("", name)
    ]
    if not mine:
        return
    made.chosen = mine[0]
    if made.chosen not in made.offers:
        made.offers = [*made.offers[: terms.top and terms.top - 1], made.chosen]
    if made.offers[0] != made.chosen and not made.ordered:
        made.notes.append(f"goes to cluster {name}, with what else the colony needs or has there")


def _take(made: JobPlan, candidates: Sequence[Job], needs: list[ClusterNeed]) -> None:
    """What this job takes of the file's clusters is not free for the next. Where all together
    cannot be placed, it is still said where this one would go."""
    for which in [made.chosen[0]] if made.chosen else range(len(candidates)):
        with suppress(ColonyError):
            assign(candidates[which], needs)
            name = next(need.name for need in needs if made.job in need.jobs)
            there = [pair for pair in made.best if pair[0] == which and pair[1].cluster == name]
            made.chosen = made.chosen or next(iter(there), None)
            return


def _ordered(job: Job) -> bool:
    return job.preference is Preference.ORDERED


def _shown(pair: Pair) -> dict[str, Any]:
    which, offer = pair
    return {**offer.to_dict(), "candidate": which}

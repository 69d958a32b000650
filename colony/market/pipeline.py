"""Tasks that run one after the other and say how much data they hand on: planned together.

A run goes by the same plan: `bound` holds each task to its region, failover included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from colony.market.egress import Where
from colony.market.facts import cost_facts
from colony.market.own import Terms
from colony.market.plan import Offer
from colony.market.request import candidates_of, request_of
from colony.market.survey import JobPlan
from colony.market.tasks import Task, TaskPlan, plan_tasks
from components.spec import ColonySpec
from jobs.spec import Job, Preference

__all__ = ["bound", "moves_data", "plan_together", "with_egress"]


def moves_data(specs: Sequence[ColonySpec]) -> bool:
    """Whether any task says what it reads or writes; of a file with clusters, these decide."""
    if any(spec.clusters or len(spec.jobs) != 1 for spec in specs):
        return False
    return any(job.reads or job.writes for spec in specs for job in spec.jobs)


def plan_together(specs: Sequence[ColonySpec], terms: Terms) -> TaskPlan:
    """Each task reads what the one before it writes; the first, what it says it reads.

    Raises InputError, NotSupported.
    """
    tasks: list[Task] = []
    for spec in specs:
        (job,) = spec.jobs
        tasks.append(_task(job, tasks[-1].name if tasks else ""))
    return plan_tasks(tasks, terms.catalog, terms.by, terms.today, terms.built)


def with_egress(made: JobPlan, together: TaskPlan, job: Job) -> None:
    """The chosen offer is the one of the common plan, with the egress of what the task reads."""
    offer = together.offers.get(made.job)
    if offer is None:
        return
    chosen = made.chosen = _candidate(together, made.job, offer), offer
    others = [pair for pair in made.offers if not _is(pair[1], offer)]
    place = next((n for n, pair in enumerate(made.offers) if _is(pair[1], offer)), None)
    if place is None:  # beyond the best that are shown
        made.offers = [*others[: max(1, len(made.offers) - 1)], chosen]
    else:
        made.offers = [*others[:place], chosen, *others[place:]]
    if place != 0 and not made.ordered:
        made.notes.append(f"goes to {'/'.join(offer.where)}, which is cheapest with its data")
    made.notes += _unpriced(job)


def bound(specs: Sequence[ColonySpec], together: TaskPlan) -> list[ColonySpec]:
    """Each job where the common plan has it, on that candidate."""
    found = []
    for spec in specs:
        (job,) = spec.jobs
        offer = together.offers.get(job.name)
        found.append(spec if offer is None else _bound(spec, job, together, offer))
    return found


def _bound(spec: ColonySpec, job: Job, together: TaskPlan, offer: Offer) -> ColonySpec:
    candidate = candidates_of(job)[_candidate(together, job.name, offer)]
    place = {"cloud": offer.row.cloud, "region": offer.row.region or None}
    resources = candidate.resources
    if offer.row.cloud != "existing":
        resources = resources.model_copy(update=place)
    here = candidate.model_copy(update={"resources": resources})
    return spec.model_copy(update={"jobs": [here]})


def _task(job: Job, before: str) -> Task:
    reads, at = sum(job.reads.values()), next(filter(None, map(_store, job.reads)), None)
    return Task(
        name=job.name,
        candidates=tuple(map(request_of, candidates_of(job))),
        needs=(before,) if before else (),
        ordered=job.preference is Preference.ORDERED,
        outputs_gb=sum(job.writes.values()),
        inputs_gb=0.0 if before else reads,
        inputs_at=None if before else at,
    )


def _store(uri: str) -> Where | None:
    """The cloud of a bucket; its region is not in its name."""
    cloud = cost_facts()["stores"].get(urlsplit(uri).scheme)
    return (cloud, "") if cloud else None


def _candidate(together: TaskPlan, name: str, offer: Offer) -> int:
    place = [task.name for task in together.tasks].index(name)
    plans = together.choices[place].plans
    return next(
        which
        for which, made in enumerate(plans)
        if any(_is(other, offer) for other in made.by_region)
    )


def _is(one: Offer, other: Offer) -> bool:
    return (one.row, one.spot, one.nodes) == (other.row, other.spot, other.nodes)


def _unpriced(job: Job) -> Iterator[str]:
    for uri in job.reads:
        if _store(uri) is None:
            yield f"what is read from {uri} is not in the price: it is in no cloud that is known"

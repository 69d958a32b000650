"""What is bought for a whole colony: of jobs with alternatives, which of them, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from colony.market.catalog import Catalog
from colony.market.costs import expected
from colony.market.place import place
from colony.market.request import candidates_of, requests_of
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import NoOffer
from jobs.spec import Job, Preference

__all__ = ["Settled", "considered", "settle"]


@dataclass(frozen=True)
class Settled:
    """`spec` has no alternatives left: it is what the placement was made for."""

    spec: ColonySpec
    placement: Placement


def settle(
    spec: ColonySpec, catalog: Catalog, by: str = "expected", built: Collection[str] | None = None
) -> Settled:
    """Places the colony. Each job's alternatives are tried in turn with the other jobs as they
    are: the first that can be had where they are ordered, else the one of the least expected cost.

    Raises NoOffer (of the first candidate), NotSupported, InputError.
    """
    for job in spec.jobs:
        if job.alternatives:
            spec = _chosen(spec, job, catalog, by, built)
    return Settled(spec, place(spec, catalog, by, built))


def considered(spec: ColonySpec, catalog: Catalog) -> Catalog:
    """The rows that can matter for this colony: of the accelerators and machine types that it
    names, and of machines without accelerators."""
    wanted = {""}
    types = set()
    for job in spec.jobs:
        for candidate in candidates_of(job):
            for request in requests_of(candidate):
                wanted.add((request.accelerator or "").casefold())
                types.add((request.instance_type or "").casefold())
    pools = [pool for cluster in spec.clusters for pool in cluster.pools]
    wanted |= {(pool.accelerators or "").split(":")[0].casefold() for pool in pools}
    return Catalog(
        row
        for row in catalog.rows
        if row.accelerator.casefold() in wanted or row.instance_type.casefold() in types
    )


def _chosen(
    spec: ColonySpec, job: Job, catalog: Catalog, by: str, built: Collection[str] | None
) -> ColonySpec:
    found = list(_placed(spec, job, catalog, by, built))
    if not found:
        place(_with(spec, candidates_of(job)[0]), catalog, by, built)  # says why
    if job.preference is Preference.ORDERED:
        return found[0].spec
    return min(found, key=lambda each: _cost(each, catalog, by)).spec


def _placed(
    spec: ColonySpec, job: Job, catalog: Catalog, by: str, built: Collection[str] | None
) -> Iterator[Settled]:
    for candidate in candidates_of(job):
        tried = _with(spec, candidate)
        try:
            yield Settled(tried, place(tried, catalog, by, built))
        except NoOffer:
            continue


def _with(spec: ColonySpec, job: Job) -> ColonySpec:
    jobs = [job if each.name == job.name else each for each in spec.jobs]
    return spec.model_copy(update={"jobs": jobs})


def _cost(settled: Settled, catalog: Catalog, by: str) -> float:
    """As in a plan: the expected bill, or the nodes' price."""
    if by != "expected":
        return settled.placement.price_per_hour
    hours = max(job.expected_run_time for job in settled.spec.jobs) / 3600
    bills = 0.0
    for cluster in settled.placement.clusters:
        pools = [pool for pool in cluster.pools if pool.name != "system"]
        rate = sum(pool.nodes * pool.price_per_node_hour for pool in pools)
        taken = sum(pool.nodes for pool in pools if pool.spot)
        bills += expected(catalog, cluster.cloud, cluster.region, rate, hours, taken).total
    return round(bills, 6)

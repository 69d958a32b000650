"""What the clusters of a colony's file offer to a job: hosts of its own, clusters that exist, pools
that were reserved or are there for all jobs, and what can be bought for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from colony.market.catalog import Catalog
from colony.market.costs import expected
from colony.market.needs import ClusterNeed, PoolNeed, covers, fits, within
from colony.market.onprem import MACHINE
from colony.market.plan import Offer, plan
from colony.market.request import Request, request_of
from colony.market.rows import Row
from jobs.spec import Job

__all__ = ["Found", "FreeOf", "Terms", "in_cluster"]

FreeOf = Callable[[str, Job], int | None]
"""Cluster, job -> nodes of the job's size that are free on an existing cluster; None = unknown."""


@dataclass(frozen=True)
class Terms:
    """By what offers are found and ranked."""

    catalog: Catalog
    by: str = "expected"
    top: int | None = None
    today: date | None = None
    built: Collection[str] | None = None
    free_of: FreeOf = lambda cluster, job: None


@dataclass
class Found:
    """`best` holds the best offer of each region, whatever `Terms.top` is."""

    offers: list[Offer] = field(default_factory=list)
    best: list[Offer] = field(default_factory=list)
    refused: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    count: int = 0


def in_cluster(need: ClusterNeed, job: Job, terms: Terms) -> Found:
    """The offers of one cluster for one candidate of a job."""
    request = request_of(job)
    if not fits(job, need):
        return _refused(f"cluster {need.name} is not where the job asks to be")
    if need.room is not None:
        return _onprem(need, request, terms)
    if need.context:
        return _existing(need, job, request, terms)
    return _bought(need, request, terms)


def _onprem(need: ClusterNeed, request: Request, terms: Terms) -> Found:
    """At the price that the file gives its hosts, each paid once, however many nodes are on it."""
    assert need.room is not None
    hosts, free = need.room.hosts(request), need.room.free(request)
    if hosts is None:
        return _refused(f"cluster {need.name} has {need.room} left: {free} of {request.nodes} fit")
    rate = sum(host.price for host in hosts)
    row = _row("onprem", MACHINE, request, rate / request.nodes)
    bill = expected(terms.catalog, "onprem", "", rate, request.hours)
    offer = Offer(row, request.nodes, False, None, bill, need.name, free)
    return Found([offer], [offer], count=1)


def _existing(need: ClusterNeed, job: Job, request: Request, terms: Terms) -> Found:
    """Nothing is bought: a job waits there until there is room."""
    free = terms.free_of(need.name, job)
    row = _row("existing", "", request, 0.0)
    bill = expected(terms.catalog, "existing", "", 0.0, request.hours)
    offer = Offer(row, request.nodes, False, None, bill, need.name, free)
    notes = []
    if free is not None and free < request.nodes:
        notes = [f"cluster {need.name} has room for {free} of {request.nodes} nodes now"]
    return Found([offer], [offer], notes=notes, count=1)


def _bought(need: ClusterNeed, request: Request, terms: Terms) -> Found:
    """From a pool that the file asks for, or bought for the job."""
    assert need.given is not None
    pool = next((pool for pool in need.pools if not pool.job and covers(pool, request)), None)
    asked = pool.request if pool else within(request, need.given)
    asked = replace(asked, nodes=request.nodes, hours=request.hours)
    made = plan(asked, terms.catalog, terms.top, terms.by, terms.today, terms.built)
    free = pool.request.nodes if pool else None
    offers, best = (
        [replace(offer, cluster=need.name, free=free) for offer in some]
        for some in (made.offers, made.by_region)
    )
    notes = [*made.notes, *(_pool_notes(pool, need) if offers else ())]
    return Found(offers, best, made.refused, notes, made.found)


def _pool_notes(pool: PoolNeed | None, need: ClusterNeed) -> Iterator[str]:
    if pool and pool.request.reserved:
        yield f"pool {pool.name} of cluster {need.name} is reserved: used or not, it costs no more"
    elif pool:
        yield f"pool {pool.name} of cluster {need.name} is there for all jobs"


def _refused(reason: str) -> Found:
    return Found(refused=[{"reason": reason, "count": 1, "near": []}])


def _row(cloud: str, machine: str, request: Request, price: float) -> Row:
    return Row(
        cloud=cloud, region="", zone="", instance_type=machine,
        accelerator=request.accelerator or "", gpus=request.gpus, cpus=None, memory_gib=None,
        gpu_memory_gib=None, price=round(price, 6), spot_price=None, arch="", date="",
    )  # fmt: skip

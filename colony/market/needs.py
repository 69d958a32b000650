"""Which clusters a colony needs, and what each has to hold: constraints only, no prices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from colony.market.request import Request, requests_of, split_accelerators
from components.spec import Cloud, ClusterSpec, ColonySpec, PoolSpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.spec import Job

__all__ = ["MAIN", "ClusterNeed", "PoolNeed", "needs_of", "numbered"]

MAIN = "main"
"""The cluster of a colony that names none."""


@dataclass(frozen=True)
class PoolNeed:
    """Nodes to buy; those bought for jobs share a pool where they are of one machine type."""

    name: str
    request: Request
    owner: str
    """For messages: `job train`."""
    job: str = ""
    """Empty: asked for by the file, whatever the jobs."""


@dataclass
class ClusterNeed:
    """One cluster: `given` is what the file says of it, None when it says nothing."""

    name: str
    given: ClusterSpec | None = None
    context: str | None = None
    """An existing cluster: nothing is bought."""
    pools: list[PoolNeed] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)


def needs_of(spec: ColonySpec) -> list[ClusterNeed]:
    """Raises InputError or NotSupported: a job fits no cluster of the file."""
    if not spec.clusters:
        return _implicit(spec.jobs)
    needs = [_given(cluster, place) for place, cluster in enumerate(spec.clusters)]
    for job in spec.jobs:
        _assign(job, needs)
    return needs


def numbered(name: str, before: int) -> str:
    """`main`, `main-2`, ..."""
    return f"{name}-{before + 1}" if before else name


def _implicit(jobs: list[Job]) -> list[ClusterNeed]:
    """One cluster for all jobs, and one for each existing context."""
    needs: dict[str | None, ClusterNeed] = {}
    for job in jobs:
        context = _context(job)
        if context is None and _asks_existing(job):
            hint = "name one of the kubeconfig's contexts"
            path = f"jobs[{job.name}].resources.context"
            raise InputError(Problem(path, "an existing cluster needs a context", hint))
        name = numbered("existing", len(set(needs) - {None})) if context else MAIN
        need = needs.setdefault(context, ClusterNeed(name, context=context))
        need.jobs.append(job.name)
        if context is None:
            need.pools += _pools(job)
    return list(needs.values())


def _given(cluster: ClusterSpec, place: int) -> ClusterNeed:
    path = f"clusters[{place}]"
    if cluster.cloud == Cloud.ONPREM or cluster.hosts:
        hint = "use aws, or an existing cluster by its context"
        raise NotSupported(Problem(f"{path}.cloud", "`onprem` is not built yet", hint))
    if cluster.cloud == Cloud.EXISTING or cluster.context or cluster.kubeconfig:
        if not cluster.context:
            hint = "name a context of the kubeconfig"
            raise InputError(Problem(f"{path}.context", "an existing cluster needs one", hint))
        return ClusterNeed(cluster.name, cluster, cluster.context)
    pools = [_bought(pool, cluster) for pool in cluster.pools]
    return ClusterNeed(cluster.name, cluster, pools=pools)


def _bought(pool: PoolSpec, cluster: ClusterSpec) -> PoolNeed:
    name, count = split_accelerators(pool.accelerators)
    request = Request(
        accelerator=name,
        count=count,
        nodes=pool.nodes,
        use_spot=pool.spot,
    )
    owner = f"pool {pool.name} of cluster {cluster.name}"
    return PoolNeed(pool.name, _within(request, cluster), owner)


def _assign(job: Job, needs: list[ClusterNeed]) -> None:
    """The first cluster that already has the nodes, else the first that may buy them."""
    fitting = [need for need in needs if _fits(job, need)]
    if not fitting:
        names = ", ".join(need.name for need in needs)
        message = "asks for a cloud, region or context that no cluster of the colony has"
        raise InputError(Problem(f"jobs[{job.name}]", message, f"the clusters are {names}"))
    ready = [need for need in fitting if need.context or _covered(job, need)]
    chosen = (ready or fitting)[0]
    chosen.jobs.append(job.name)
    if not ready and chosen.given is not None:
        for pool in _pools(job):
            request = _within(pool.request, chosen.given)
            chosen.pools.append(replace(pool, request=request))


def _fits(job: Job, need: ClusterNeed) -> bool:
    context = _context(job)
    if context or need.context:
        elsewhere = any(request.cloud or request.region for request in requests_of(job))
        return context == need.context if context else not elsewhere or _asks_existing(job)
    given = need.given
    cloud = given.cloud.value if given and given.cloud else None
    region = given.region if given else None
    return all(
        request.cloud in (None, cloud or request.cloud)
        and request.region in (None, region or request.region)
        for request in requests_of(job)
    )


def _covered(job: Job, need: ClusterNeed) -> bool:
    """Every kind of node that the job needs is in a pool that the file asks for.

    An elastic role needs its `max`: a pool that it may outgrow does not cover it.
    """
    return all(
        any(_covers(pool, request) for pool in need.pools if not pool.job)
        for request in requests_of(job)
    )


def _covers(pool: PoolNeed, request: Request) -> bool:
    have = pool.request
    return (
        (have.accelerator or "").casefold() == (request.accelerator or "").casefold()
        and have.gpus == request.gpus
        and have.nodes >= request.nodes
        and have.use_spot == request.use_spot
        and not (request.cpus or request.memory or request.instance_type)
    )


def _pools(job: Job) -> list[PoolNeed]:
    return [PoolNeed("", request, f"job {job.name}", job.name) for request in requests_of(job)]


def _within(request: Request, cluster: ClusterSpec) -> Request:
    """The request, bound to where the cluster is."""
    zones = tuple(zone for zone in cluster.zones if not request.zones or zone in request.zones)
    return replace(
        request,
        cloud=cluster.cloud.value if cluster.cloud else request.cloud,
        region=cluster.region or request.region,
        zones=zones or request.zones,
    )


def _asks_existing(job: Job) -> bool:
    return any(request.cloud == Cloud.EXISTING.value for request in requests_of(job))


def _context(job: Job) -> str | None:
    contexts = {request.context for request in requests_of(job)}
    if len(contexts) > 1:
        message = "its roles ask for different clusters"
        raise NotSupported(Problem(f"jobs[{job.name}].roles", message, "use one context"))
    return contexts.pop()

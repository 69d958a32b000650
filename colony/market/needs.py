"""Which clusters a colony needs, and what each has to hold: constraints only, no prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from colony.market.onprem import Room
from colony.market.request import Request, requests_of, split_accelerators
from components.placement import ClusterPlacement
from components.spec import Cloud, ClusterSpec, ColonySpec, PoolSpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.problems import did_you_mean
from jobs.spec import Job

__all__ = [
    "MAIN", "ClusterNeed", "PoolNeed", "assign", "clusters_of", "covers", "fits",
    "is_where_asked", "needs_of", "numbered", "within",
]  # fmt: skip

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
    given: PoolSpec | None = None
    """What the file says of it beside what the market looks for."""


@dataclass
class ClusterNeed:
    """One cluster: `given` is what the file says of it, None when it says nothing."""

    name: str
    given: ClusterSpec | None = None
    context: str | None = None
    """An existing cluster: nothing is bought."""
    pools: list[PoolNeed] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    room: Room | None = None
    """What is free on the user's own machines: there are no more of them to be had."""


def needs_of(spec: ColonySpec) -> list[ClusterNeed]:
    """Raises InputError or NotSupported: a job fits no cluster of the file."""
    _refuse_unknown(spec)
    if not spec.clusters:
        return _implicit(spec.jobs)
    needs = clusters_of(spec)
    for job in spec.jobs:
        assign(job, needs)
    return needs


def clusters_of(spec: ColonySpec) -> list[ClusterNeed]:
    """The clusters that the file names, without any job. Raises InputError."""
    return [_given(cluster, place) for place, cluster in enumerate(spec.clusters)]


def numbered(name: str, before: int) -> str:
    """`main`, `main-2`, ..."""
    return f"{name}-{before + 1}" if before else name


def _refuse_unknown(spec: ColonySpec) -> None:
    """A job that names a cluster which the file does not have."""
    names = [cluster.name for cluster in spec.clusters]
    known = f"the clusters are {', '.join(names)}" if names else "the colony names no clusters"
    problems = [
        Problem(
            f"jobs[{job.name}].cluster",
            f"the colony has no cluster {job.cluster}",
            did_you_mean(job.cluster, names, known),
        )
        for job in spec.jobs
        if job.cluster is not None and job.cluster not in names
    ]
    if problems:
        raise InputError(*problems)


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
    if cluster.cloud == Cloud.ONPREM:
        return ClusterNeed(cluster.name, cluster, room=Room.of(cluster))
    if cluster.cloud == Cloud.EXISTING or cluster.context or cluster.kubeconfig:
        if not cluster.context:
            hint = "name a context of the kubeconfig"
            raise InputError(Problem(f"{path}.context", "an existing cluster needs one", hint))
        return ClusterNeed(cluster.name, cluster, cluster.context)
    pools = [_bought(pool, cluster) for pool in cluster.pools]
    return ClusterNeed(cluster.name, cluster, pools=pools)


def _too_much(job: Job, needs: list[ClusterNeed]) -> Problem:
    """A job that none of the user's own machines can take."""
    have = [f"{need.name} has {need.room} left" for need in needs]
    asks = ", ".join(f"{request.nodes} x {request.what}" for request in requests_of(job))
    hint = "ask for less, add hosts, or add a cluster of a cloud"
    return Problem(f"jobs[{job.name}]", f"asks for {asks}, but {'; '.join(have)}", hint)


def _bought(pool: PoolSpec, cluster: ClusterSpec) -> PoolNeed:
    name, count = split_accelerators(pool.accelerators)
    request = Request(
        accelerator=name,
        count=count,
        nodes=pool.nodes,
        use_spot=pool.spot,
        reserved=bool(pool.reservation),
    )
    owner = f"pool {pool.name} of cluster {cluster.name}"
    return PoolNeed(pool.name, within(request, cluster), owner, given=pool)


def assign(job: Job, needs: list[ClusterNeed]) -> None:
    """The first cluster that already has the nodes, else the first that may buy them.

    Raises InputError where none can take it.
    """
    fitting = [need for need in needs if fits(job, need)]
    if not fitting and job.cluster:
        message = f"asks for a cloud, region or context that is not cluster {job.cluster}'s"
        raise InputError(Problem(f"jobs[{job.name}]", message))
    if not fitting:
        names = ", ".join(need.name for need in needs)
        message = "asks for a cloud, region or context that no cluster of the colony has"
        raise InputError(Problem(f"jobs[{job.name}]", message, f"the clusters are {names}"))
    ready = next((need for need in fitting if need.context or _covered(job, need)), None)
    buying = [need for need in fitting if need.room is None]
    if not ready and not buying:
        raise InputError(_too_much(job, fitting))
    chosen = ready or buying[0]
    chosen.jobs.append(job.name)
    if not ready and chosen.given is not None:
        for pool in _pools(job):
            request = within(pool.request, chosen.given)
            chosen.pools.append(replace(pool, request=request))


def fits(job: Job, need: ClusterNeed) -> bool:
    """Whether the cluster is where the job asks to be."""
    if job.cluster not in (None, need.name):
        return False
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
    """Every kind of node that the job needs is in a pool that the file asks for; or there is room
    for all of them on the user's own machines, which then is the job's.

    An elastic role needs its `max`: a pool that it may outgrow does not cover it.
    """
    if need.room is not None:
        return need.room.take(requests_of(job))
    return all(
        any(covers(pool, request) for pool in need.pools if not pool.job)
        for request in requests_of(job)
    )


def covers(pool: PoolNeed, request: Request) -> bool:
    """Whether a pool that the file asks for has what one kind of node of a job needs."""
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


def within(request: Request, cluster: ClusterSpec) -> Request:
    """The request, bound to where the cluster is."""
    zones = tuple(zone for zone in cluster.zones if not request.zones or zone in request.zones)
    return replace(
        request,
        cloud=cluster.cloud.value if cluster.cloud else request.cloud,
        region=cluster.region or request.region,
        zones=zones or request.zones,
    )


def is_where_asked(placed: ClusterPlacement, spec: ColonySpec, jobs: Mapping[str, str]) -> bool:
    """Whether a cluster that was placed once still is where the file, which may have changed, wants
    it and the jobs that go to it (by their names in `jobs`). What the file leaves open, the market
    had chosen: that stays, whatever is cheaper now."""
    asked: list[tuple[str | None, str | None]] = []
    for each in spec.clusters:
        if each.name == placed.name:
            asked.append((each.cloud.value if each.cloud else None, each.region))
            if each.zones and not (placed.zones and set(placed.zones) <= set(each.zones)):
                return False
    for job in spec.jobs:
        if jobs.get(job.name) == placed.name:
            requests = requests_of(job)
            asked += [(each.cloud, each.region) for each in requests]
            if not all(_in_zones(placed, each.zones) for each in requests):
                return False
    return all(
        cloud in (None, placed.cloud) and region in (None, placed.region) for cloud, region in asked
    )


def _in_zones(placed: ClusterPlacement, zones: tuple[str, ...]) -> bool:
    """A pool without a zone is wherever its cluster may be: nobody can say that it is elsewhere."""
    used = {pool.zone for pool in placed.pools if pool.accelerator and pool.zone}
    return not zones or used <= set(zones)


def _asks_existing(job: Job) -> bool:
    return any(request.cloud == Cloud.EXISTING.value for request in requests_of(job))


def _context(job: Job) -> str | None:
    contexts = {request.context for request in requests_of(job)}
    if len(contexts) > 1:
        message = "its roles ask for different clusters"
        raise NotSupported(Problem(f"jobs[{job.name}].roles", message, "use one context"))
    return contexts.pop()

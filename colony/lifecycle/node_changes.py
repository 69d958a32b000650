"""One node more or less in a colony that is there: what spec and placement become. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from colony.market.onprem import Room, placement_of
from colony.market.request import requests_of
from components.hosts import HostSpec, node_name
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import Cloud, ClusterSpec, ColonySpec
from jobs.errors import InputError, NotSupported, Problem
from jobs.problems import did_you_mean
from jobs.spec import Job

__all__ = ["Shape", "resized", "with_host", "without_host"]


@dataclass(frozen=True)
class Shape:
    """What the stack config says that is built."""

    spec: ColonySpec
    placement: Placement

    def cluster(self, name: str) -> ClusterPlacement:
        """InputError with a near match."""
        known = {each.name: each for each in self.placement.clusters}
        if name not in known:
            hint = did_you_mean(name, known, f"it has {', '.join(known)}")
            message = f"{self.spec.name} has no cluster `{name}`"
            raise InputError(Problem("NAME/CLUSTER", message, hint))
        if known[name].cloud == Cloud.EXISTING.value:
            message = f"the nodes of {name} are not Colony's: it is an existing cluster"
            raise NotSupported(Problem("NAME/CLUSTER", message, "ask whoever runs it"))
        return known[name]


def with_host(shape: Shape, cluster: str, host: HostSpec, host_key: str = "") -> Shape:
    """The host joins as the last one, known by its key. InputError where it is there already."""
    for each in shape.placement.clusters:
        if node_name(host.address) in {node_name(one.address) for one in each.hosts}:
            message = f"{host.address} is in {shape.spec.name}/{each.name} already"
            raise InputError(Problem("HOST", message))
    return _hosts(shape, cluster, lambda hosts: [*hosts, host], {host.address: host_key})


def without_host(shape: Shape, cluster: str, address: str, jobs: list[Job]) -> Shape:
    """InputError for a host that is not there, the one that serves, and one that `jobs`, which
    may still run, cannot do without."""
    known = [host.address for host in shape.cluster(cluster).hosts]
    if address not in known:
        hint = did_you_mean(address, known, f"it has {', '.join(known)}")
        raise InputError(Problem("HOST", f"{cluster} has no host `{address}`", hint))
    if address == known[0]:
        message = f"{address} runs the control plane of {cluster}"
        raise NotSupported(Problem("HOST", message, "end the cluster, or leave it"))
    smaller = _hosts(shape, cluster, lambda hosts: [h for h in hosts if h.address != address])
    _refuse_cramped(Room.of(_given(smaller, cluster)), jobs, "HOST")
    return smaller


def resized(shape: Shape, cluster: str, pool: str, by: int, jobs: list[Job]) -> Shape:
    """A cloud's pool with `by` more nodes (fewer, below 0), at the recorded price."""
    place = shape.cluster(cluster)
    pools = {each.name: each for each in place.pools}
    if pool not in pools:
        hint = did_you_mean(pool, pools, f"it has {', '.join(pools)}")
        raise InputError(Problem("POOL", f"{cluster} has no pool `{pool}`", hint))
    nodes = pools[pool].nodes + by
    least = max(1, pools[pool].min_nodes or 0)
    if nodes < least:
        message = f"{pool} has {pools[pool].nodes} nodes, and keeps at least {least}"
        hint = "take the pool out of the file, then `colony up`"
        raise InputError(Problem("--count", message, hint))
    sized = [_of(each, nodes) if each.name == pool else each for each in place.pools]
    smaller = _placed(shape.placement, place.model_copy(update={"pools": sized}))
    if by < 0:
        _refuse_cramped(Room.of(_as_hosts(sized, cluster)), jobs, "POOL")
    return Shape(_spec_of_pool(shape.spec, cluster, pool, nodes), smaller)


def _hosts(
    shape: Shape,
    cluster: str,
    change: Callable[[list[HostSpec]], list[HostSpec]],
    new_keys: Mapping[str, str] | None = None,
) -> Shape:
    """Keys, addresses and versions stay as they were recorded."""
    place = shape.cluster(cluster)
    if place.cloud != Cloud.ONPREM.value:
        hint = f"name a pool: {', '.join(pool.name for pool in place.pools)}"
        message = f"{cluster} is on {place.cloud}, and takes no hosts"
        raise NotSupported(Problem("HOST", message, hint))
    given = _given(shape, cluster)
    # Validated anew: what a file may not say, nobody may say.
    data = given.model_dump() | {"hosts": [h.model_dump() for h in change(given.hosts)]}
    spec = _spec(shape.spec, ClusterSpec.model_validate(data))
    fresh = placement_of(next(c for c in spec.clusters if c.name == cluster))
    keys = {host.address: host.host_key for host in place.hosts} | dict(new_keys or {})
    hosts = [
        host.model_copy(update={"host_key": keys.get(host.address, "")}) for host in fresh.hosts
    ]
    changed = place.model_copy(update={"hosts": hosts, "pools": fresh.pools})
    return Shape(spec, _placed(shape.placement, changed))


def _refuse_cramped(room: Room, jobs: list[Job], path: str) -> None:
    """A gang that loses a node fails: it is not for this command to decide that."""
    for job in jobs:
        if not room.take(requests_of(job)):
            message = f"job {job.name!r} may still run, and would have {room} left"
            raise InputError(Problem(path, message, f"`colony cancel` ends it: NAME/{job.name}"))


def _given(shape: Shape, cluster: str) -> ClusterSpec:
    found = next((each for each in shape.spec.clusters if each.name == cluster), None)
    assert found is not None, "hosts are only in clusters that the file names"
    return found


def _as_hosts(pools: list[PoolPlacement], cluster: str) -> ClusterSpec:
    """Every node as if it were a machine of one's own."""
    hosts = [
        HostSpec(
            address=f"{pool.name}-{number}",
            accelerators=f"{pool.accelerator}:{pool.accelerator_count}"
            if pool.accelerator
            else None,
            cpus=pool.cpus,
            memory=pool.memory_gib,
        )
        for pool in pools
        for number in range(pool.nodes)
    ]
    return ClusterSpec(name=cluster, cloud=Cloud.ONPREM, hosts=hosts)


def _of(pool: PoolPlacement, nodes: int) -> PoolPlacement:
    return pool.model_copy(update={"nodes": nodes})


def _spec_of_pool(spec: ColonySpec, cluster: str, pool: str, nodes: int) -> ColonySpec:
    """A pool that the file does not name is the market's, and stays in the placement alone."""
    found = next((each for each in spec.clusters if each.name == cluster), None)
    if found is None:
        return spec
    pools = [
        each.model_copy(update={"nodes": nodes}) if each.name == pool else each
        for each in found.pools
    ]
    return _spec(spec, found.model_copy(update={"pools": pools}))


def _spec(spec: ColonySpec, cluster: ClusterSpec) -> ColonySpec:
    clusters = [cluster if each.name == cluster.name else each for each in spec.clusters]
    return spec.model_copy(update={"clusters": clusters})


def _placed(placement: Placement, cluster: ClusterPlacement) -> Placement:
    clusters = [cluster if each.name == cluster.name else each for each in placement.clusters]
    return placement.model_copy(update={"clusters": clusters})

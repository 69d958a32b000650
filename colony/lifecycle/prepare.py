"""Everything before the first resource: plan, checks, lease, records, stack config."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from colony.lifecycle.config import stack_config
from colony.lifecycle.definitions import Foreseen, note_definitions
from colony.lifecycle.existing_layers import find_layers
from colony.lifecycle.ground import Ground, State, Tell, records_of, state_of
from colony.lifecycle.logbook import log
from colony.lifecycle.refused import of_cluster
from colony.lifecycle.teardown import ALL, Safeties
from colony.market.failover import Failover
from colony.market.needs import is_where_asked
from colony.market.place import BUILT_AS_ASKED
from colony.market.zones import staying
from components.layer_found import FoundLayer, as_argument
from components.lease import Lease
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import OWNED, ColonySpec
from jobs.errors import InputError, Problem

__all__ = ["Plan", "make_lease", "place_again", "prepare", "prepare_again"]


@dataclass(frozen=True)
class Plan:
    """All that a run needs to know, decided before anything is created."""

    spec: ColonySpec
    placement: Placement
    folders: dict[str, Path]
    """By job: where its relative `workdir` starts."""
    owner: str
    end: str
    """The command that ends the colony, for the lease."""
    kubeconfigs: dict[str, str] = field(default_factory=dict, repr=False)
    """Of existing clusters, by name."""
    ssh_keys: dict[str, str] = field(default_factory=dict, repr=False)
    """Of the hosts of clusters on-prem, by the cluster's name."""
    logins: dict[str, str] = field(default_factory=dict, repr=False)
    """Passwords of private chart repositories, by layer."""
    failover: Failover | None = field(default=None, repr=False)
    """Where to ask when a cloud refuses; None = nowhere."""
    networks: list[str] = field(default_factory=list)
    """Those from which an API server is reached where the file does not say."""
    recorded: bool = False
    """The placement is the one of an earlier run."""
    found: dict[str, dict[str, FoundLayer]] = field(default_factory=dict)
    """Layers that existing clusters have already, by cluster."""
    brought: dict[str, Foreseen] = field(default_factory=dict)
    """CRDs that ours bring to them, by the cluster's identifier."""


def prepare(ground: Ground, plan: Plan, *, safeties: Safeties, attached: bool) -> Lease:
    """Lease before spend: records and config are written; nothing billable exists yet.

    Raises InputError for what the components would refuse, and for a name that is taken.
    """
    stack = plan.spec.name
    records = records_of(ground, stack)
    lease = make_lease(plan, ground.now())
    _checked(plan, lease)
    if not ground.engine.select(stack):
        ways = f"`--on {stack}` joins it, `colony down {stack}` ends it"
        raise InputError(
            f"a colony named {stack} exists already: `colony status {stack}` shows it, {ways}"
        )
    records.remove("completion", "keep", "cancelled")
    records.write("clusters", {"names": [], "places": _places(plan.placement)})
    note_definitions(ground, stack, plan.brought, anew=True)
    if safeties.lease:
        records.write("lease", lease.model_dump(mode="json"))
    # After the lease that it closes: a kill between reopens no life. Nor does a life of the very
    # same second close this one.
    records.remove("receipt", f"receipts/{lease.created}")
    if attached:
        records.write("runner", _myself())
        ground.announce(_myself())
    _configure(ground, plan, lease)
    log(
        ground, stack, "leased", until=lease.expires, owner=lease.owner,
        budget_usd=lease.budget_usd, usd_per_hour=plan.placement.price_per_hour,
    )  # fmt: skip
    return lease


def prepare_again(ground: Ground, plan: Plan, tell: Tell) -> Plan:
    """`up`: a colony that exists keeps its lease and, for each cluster that is asked for the
    same, the placement and price that were recorded; what was priced is what is provisioned."""
    stack = plan.spec.name
    records = records_of(ground, stack)
    lease = records.lease()
    there = stack in ground.engine.stacks() and lease is not None and not records.closing()
    recorded = ground.engine.config(stack).get("colony:placement") if there else None
    was = Placement.model_validate_json(recorded) if recorded else None
    if was:
        _same_contexts(was, plan.placement)
        _hosts_stay(was, plan.placement)
        placement = _planes_stay(was, plan.placement, stack, state_of(ground, stack))
        plan = replace(plan, placement=placement)
    plan = find_layers(ground, plan, tell)
    if not there or lease is None:
        prepare(ground, plan, safeties=ALL, attached=False)
        return plan
    if was:
        known = _as_recorded(was, plan.placement, plan.spec)
        plan = replace(plan, placement=_reached_as(known, plan.placement), recorded=True)
    plan = replace(plan, failover=None)  # what runs there is not moved
    _checked(plan, lease)
    records.write("clusters", _also(records.read("clusters") or {}, plan.placement))
    note_definitions(ground, stack, plan.brought)
    _configure(ground, plan, lease)
    return plan


def place_again(ground: Ground, plan: Plan) -> Plan:
    """Another placement under the same lease; where the colony has been is remembered, so that a
    sweep looks there too. Raises InputError for what the components would refuse."""
    records = records_of(ground, plan.spec.name)
    lease = records.lease() or make_lease(plan, ground.now())
    _checked(plan, lease)
    known = records.read("clusters") or {"names": []}
    places = {(cloud, region) for cloud, region in known.get("places", [])}
    places |= set(_places(plan.placement))
    records.write("clusters", {**known, "places": sorted(places)})
    _configure(ground, plan, lease)
    return plan


def make_lease(plan: Plan, now: float) -> Lease:
    """Expiry, budget and owner as they will stand on every billable resource."""
    spec = plan.spec
    return Lease(
        colony=spec.name,
        stack=spec.name,
        owner=plan.owner,
        created=int(now),
        expires=int(now) + spec.lifetime,
        budget_usd=spec.budget.usd if spec.budget else None,
        end=plan.end,
    )


def _checked(plan: Plan, lease: Lease) -> None:
    """Raises InputError for what the components would refuse."""
    from components.colony import check
    from components.inputs import ColonyArgs

    found = as_argument(plan.found)
    check(ColonyArgs(spec=plan.spec, placement=plan.placement, lease=lease, found=found))


def _configure(ground: Ground, plan: Plan, lease: Lease) -> None:
    """Writes the placement and the recorded price into the stack config, once."""
    plain, secrets = stack_config(records_of(ground, plan.spec.name), plan, lease)
    ground.engine.configure(plan.spec.name, plain, secrets)


def _same_contexts(recorded: Placement, wanted: Placement) -> None:
    """An existing cluster is never left for another by an `up`: often only the current context has
    changed. Raises InputError."""
    known = {each.name: each.context for each in recorded.clusters}
    problems = [
        Problem(
            f"clusters.{each.name}.context",
            f"is `{each.context}`, and the colony is on `{known[each.name]}`",
            f"write `context: {known[each.name]}` into the file, or end the colony first",
        )
        for each in wanted.clusters
        if each.context and known.get(each.name, each.context) not in (None, each.context)
    ]
    if problems:
        raise InputError(*problems)


def _hosts_stay(recorded: Placement, wanted: Placement) -> None:
    """One `up` makes before it takes away: a host that goes to another cluster would lose its k3s
    there. Raises InputError."""
    there = {host.address: each.name for each in recorded.clusters for host in each.hosts}
    names = {each.name for each in wanted.clusters}
    problems = [
        Problem(
            f"clusters.{each.name}.hosts",
            f"`{host.address}` is a node of cluster {there[host.address]}",
            "take it out there with one `colony up`, and add it here with the next",
        )
        for each in wanted.clusters
        for host in each.hosts
        if there.get(host.address, each.name) in names - {each.name}
    ]
    if problems:
        raise InputError(*problems)


def _planes_stay(recorded: Placement, wanted: Placement, stack: str, state: State) -> Placement:
    """The host that runs the control plane goes on to, whatever the order in the file is now.
    Raises InputError where the file takes it out and it really runs there."""
    planes = {each.name: each.hosts[0].address for each in recorded.clusters if each.hosts}
    problems = [
        Problem(
            f"clusters.{each.name}.hosts",
            f"`{planes[each.name]}` runs the control plane, and cannot be taken out",
            "a cluster by another name gives back all hosts first, with what runs there",
        )
        for each in wanted.clusters
        if each.name in planes
        and each.hosts
        and all(host.address != planes[each.name] for host in each.hosts)
        and any(one["urn"].endswith("-server") for one in of_cluster(stack, each.name, state()))
    ]
    if problems:
        raise InputError(*problems)
    clusters = [_first(each, planes.get(each.name)) for each in wanted.clusters]
    return wanted.model_copy(update={"clusters": clusters})


def _first(cluster: ClusterPlacement, plane: str | None) -> ClusterPlacement:
    hosts = sorted(cluster.hosts, key=lambda host: host.address != plane)
    return cluster.model_copy(update={"hosts": hosts})


def _as_recorded(recorded: Placement, wanted: Placement, spec: ColonySpec) -> Placement:
    """Each cluster as it was placed, at whatever price now, while it is asked for the same."""
    known = {each.name: each for each in recorded.clusters}

    def placed(each: ClusterPlacement) -> ClusterPlacement:
        kept = known.get(each.name)
        if not kept:
            return each
        there = is_where_asked(kept, spec, wanted.jobs)
        if there and _shape(kept) == _shape(each):
            return _as_asked(_running(kept), each, spec)
        return staying(kept, _same_pools(kept, each, there))

    clusters = [placed(each) for each in wanted.clusters]
    date = recorded.catalog_date if clusters == recorded.clusters else wanted.catalog_date
    return wanted.model_copy(update={"clusters": clusters, "catalog_date": date})


def _same_pools(kept: ClusterPlacement, wanted: ClusterPlacement, there: bool) -> ClusterPlacement:
    """In the same region a pool that is asked for the same stays, too: on the machines that it has,
    and in its zone while it may be `there`."""
    if (kept.cloud, kept.region) != (wanted.cloud, wanted.region):
        return wanted
    known = {pool.name: pool for pool in kept.pools}

    def same(pool: PoolPlacement) -> PoolPlacement:
        old = known.get(pool.name)
        if not old or _pool_shape(old) != _pool_shape(pool):
            return pool
        if not there and (pool.accelerator_count or pool.zone):
            return pool
        return pool.model_copy(update={field: getattr(old, field) for field in _BOUGHT})

    return wanted.model_copy(update={"pools": [same(pool) for pool in wanted.pools]})


_BOUGHT = ("instance_type", "zone", "cpus", "memory_gib", "price_per_node_hour")
"""What the market has chosen of a pool."""


def _running(cluster: ClusterPlacement) -> ClusterPlacement:
    """With the machines that went because nobody used them."""
    pools = [pool.model_copy(update={"stopped": None}) for pool in cluster.pools]
    return cluster.model_copy(update={"pools": pools})


def _as_asked(
    kept: ClusterPlacement, wanted: ClusterPlacement, spec: ColonySpec
) -> ClusterPlacement:
    """With what the file says of it and no market chooses, which may have changed. A version of
    Kubernetes that it does not say stays: a newer Colony upgrades nothing unasked."""
    versions = {each.name: each.kubernetes for each in spec.clusters}
    asked = {pool.name: pool.model_dump(include=BUILT_AS_ASKED) for pool in wanted.pools}
    pools = [pool.model_copy(update=asked.get(pool.name, {})) for pool in kept.pools]
    found = {
        "kubernetes": versions.get(kept.name) or kept.kubernetes,
        "external_address": wanted.external_address,
        "installer": wanted.installer,
    }
    return kept.model_copy(update={**found, "pools": pools})


def _shape(cluster: ClusterPlacement) -> Any:
    hosts = [host.address for host in cluster.hosts]
    return (
        cluster.name,
        hosts,
        sorted(_pool_shape(pool) for pool in cluster.pools),
    )


def _pool_shape(pool: PoolPlacement) -> tuple[str, int, int, bool, str]:
    kind = pool.accelerator or "", pool.accelerator_count, pool.nodes
    return *kind, pool.spot, pool.reservation or ""


def _reached_as(recorded: Placement, wanted: Placement) -> Placement:
    """Who may reach the clusters is what is wanted now: whoever runs it may have moved."""
    access = {each.name: each.access for each in wanted.clusters}
    clusters = [
        each.model_copy(update={"access": access.get(each.name, each.access)})
        for each in recorded.clusters
    ]
    return recorded.model_copy(update={"clusters": clusters})


def _places(placement: Placement) -> list[tuple[str, str]]:
    """Where a sweep must look; the names come once the clusters exist."""
    owned = [cluster for cluster in placement.clusters if cluster.cloud not in OWNED]
    return sorted({(each.cloud, each.region) for each in owned})


def _also(known: dict[str, Any], placement: Placement) -> dict[str, Any]:
    """Places that the colony has left stay: something may have been left there."""
    places = {tuple(place) for place in [*known.get("places", []), *_places(placement)]}
    return {**known, "places": sorted(places)}


def _myself() -> dict[str, Any]:
    process = psutil.Process(os.getpid())
    return {"pid": process.pid, "host": socket.gethostname(), "started": process.create_time()}

"""A whole colony: where each cluster goes, which pools it has, and what they cost.

A cluster is in one region. Of the regions that can hold all of it, the cheapest wins, by the same
cost as in a plan (so that one job goes where `colony plan` says); ties by cloud and region name.
Jobs are taken to run at the same time, so the nodes of pools with one machine type are added up.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from colony.market.buyer import Buyer, Where
from colony.market.catalog import Catalog
from colony.market.costs import control_plane_per_hour, system_pool
from colony.market.facts import cluster_facts
from colony.market.needs import MAIN, ClusterNeed, PoolNeed, needs_of, numbered
from colony.market.onprem import placement_of
from colony.market.plan import Offer, Plan
from colony.market.request import Request
from components.clusters.base import kinds
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import Cloud, ColonySpec, PoolSpec
from jobs.errors import InputError, NoOffer, Problem

__all__ = ["SYSTEM", "ZONE_ID", "place"]

SYSTEM = "system"
"""The small CPU pool that every cluster has."""
ZONE_ID = re.compile(r"[a-z0-9]+-az\d+")
"""What AWS's price files hold in place of a zone's name."""

BUILT_AS_ASKED = {"min_nodes", "reservation", "reserved_until", "disk", "image", "compact"}
"""Of a pool in the file. What was reserved is paid for, used or not: it costs nothing more."""


@dataclass(frozen=True)
class _Placed:
    cluster: ClusterPlacement
    jobs: list[str]
    date: str


def place(
    spec: ColonySpec,
    catalog: Catalog,
    by: str = "expected",
    built: Collection[str] | None = None,
) -> Placement:
    """What will be built, at the prices recorded with it.

    Where that would be more than `max_price` of the colony or of a cluster, what costs least per
    hour is taken. Raises NoOffer (which constraint failed, and near matches), NotSupported,
    InputError.
    """
    found = _placement(spec, catalog, by, built)
    if _over(spec, found):
        found = _placement(spec, catalog, "sticker", built)
    if over := _over(spec, found):
        raise NoOffer(over)
    return found


def _placement(
    spec: ColonySpec, catalog: Catalog, by: str, built: Collection[str] | None
) -> Placement:
    needs = needs_of(spec)
    buyer = Buyer(catalog, by, frozenset(kinds() if built is None else built))
    if not needs:
        hint = "give it clusters, or a job"
        raise InputError(Problem("clusters", "the colony has no cluster and no job", hint))
    placed = [part for need in needs for part in _place_need(need, buyer)]
    return Placement(
        clusters=[part.cluster for part in placed],
        jobs={job: part.cluster.name for part in placed for job in part.jobs},
        catalog_date=min((part.date for part in placed if part.date), default=""),
    )


def _over(spec: ColonySpec, found: Placement) -> str:
    """What costs more per hour than the file allows; empty = nothing."""
    caps = [("the colony", spec.max_price, found.price_per_hour)]
    for cluster in spec.clusters:
        own = [each for each in found.clusters if each.name == cluster.name]
        price = found.model_copy(update={"clusters": own}).price_per_hour
        caps.append((f"cluster {cluster.name}", cluster.max_price, price))
    over = [
        f"{what} costs at least ${price:,.2f} per hour, over its max_price of ${most:,.2f}"
        for what, most, price in caps
        if most is not None and price > most
    ]
    return "; ".join(over)


def _place_need(need: ClusterNeed, buyer: Buyer) -> list[_Placed]:
    if need.context:
        cluster = ClusterPlacement(
            name=need.name, cloud="existing", region="", context=need.context
        )
        return [_Placed(cluster, need.jobs, "")]
    if need.given and need.given.cloud == Cloud.ONPREM:
        return [_Placed(placement_of(need.given), need.jobs, "")]
    if need.given and need.given.cloud:
        buyer.refuse_unbuilt(need.name, need.given.cloud.value)
    bought = need.pools or [_system_only(need)]
    plans = [buyer.plan(pool) for pool in bought]
    best = buyer.cheapest(plans)
    if best:
        where, offers = best
        return [_built(need, where, offers if need.pools else [], buyer.catalog)]
    if need.given is None:
        return _apart(need, plans, buyer)
    raise NoOffer(_nowhere(need, bought, plans), [r for made in plans for r in made.refused])


def _apart(need: ClusterNeed, plans: list[Plan], buyer: Buyer) -> list[_Placed]:
    """No region holds all jobs: a cluster in each place where a job is cheapest."""
    groups: dict[Where, tuple[ClusterNeed, list[Offer]]] = {}
    for job in need.jobs:
        mine = [pair for pair in zip(need.pools, plans, strict=True) if pair[0].job == job]
        best = buyer.cheapest([made for _, made in mine])
        if best is None:
            refused = [refusal for _, made in mine for refusal in made.refused]
            raise NoOffer(_nowhere(need, *map(list, zip(*mine, strict=True))), refused)
        where, offers = best
        name = numbered(MAIN, len(groups))
        group, bought = groups.setdefault(where, (ClusterNeed(name), []))
        group.jobs.append(job)
        group.pools += [pool for pool, _ in mine]
        bought += offers
    return [
        _built(group, where, bought, buyer.catalog) for where, (group, bought) in groups.items()
    ]


def _system_only(need: ClusterNeed) -> PoolNeed:
    """A cluster without pools of its own still goes where its system pool can be bought."""
    given = need.given
    cloud = given.cloud.value if given and given.cloud else None
    region = given.region if given else None
    zones = tuple(given.zones) if given else ()
    request = Request(cpus="2+", cloud=cloud, region=region, zones=zones)
    return PoolNeed(SYSTEM, request, f"cluster {need.name}")


def _nowhere(need: ClusterNeed, pools: list[PoolNeed], plans: list[Plan]) -> str:
    parts = []
    for pool, made in zip(pools, plans, strict=True):
        regions = list(dict.fromkeys(offer.row.region for offer in made.offers))
        parts.append(f"{pool.request.what} ({pool.owner}) is in {', '.join(regions[:3])}")
    return f"no region has all that cluster {need.name} needs: {'; '.join(parts)}"


def _built(need: ClusterNeed, where: Where, offers: list[Offer], catalog: Catalog) -> _Placed:
    cloud, region = where
    given, facts = need.given, cluster_facts(cloud)
    system, dates = _system(catalog, cloud, region)
    pools = system + _pools(need.pools, offers)
    cluster = ClusterPlacement(
        name=need.name,
        cloud=cloud,
        region=region,
        zones=given.zones if given else [],
        kubernetes=(given and given.kubernetes) or facts.get("kubernetes", ""),
        access=given.access if given else None,
        control_plane_per_hour=control_plane_per_hour(cloud),
        pools=pools,
    )
    seen = [*dates, *(offer.row.date for offer in offers)]
    return _Placed(cluster, need.jobs, min(seen, default=""))


def _zone(offer: Offer) -> str | None:
    """Pinned where it matters: AWS has one price for a region, and zone ids are not zone names."""
    if offer.row.cloud == "aws" and ZONE_ID.fullmatch(offer.row.zone) and not offer.spot:
        return None
    return offer.zone


def _system(catalog: Catalog, cloud: str, region: str) -> tuple[list[PoolPlacement], list[str]]:
    row, price, count = system_pool(catalog, cloud, region)
    if row is None:
        return [], []
    pool = PoolPlacement(
        name=SYSTEM,
        instance_type=row.instance_type,
        nodes=count,
        cpus=row.cpus or 0,
        memory_gib=row.memory_gib or 0,
        price_per_node_hour=price,
    )
    return [pool], [row.date]


def _pools(needs: list[PoolNeed], offers: list[Offer]) -> list[PoolPlacement]:
    """Named pools as asked; those made for jobs once per machine type, zone and kind of price."""
    pools: dict[object, PoolPlacement] = {}
    names = {SYSTEM} | {need.name for need in needs}
    for need, offer in zip(needs, offers, strict=True):
        machine = (offer.row.instance_type, offer.spot, _zone(offer))
        key = machine if need.job else need.name
        if same := pools.get(key):
            pools[key] = same.model_copy(update={"nodes": same.nodes + offer.nodes})
            continue
        name = need.name or _name(offer, names)
        names.add(name)
        pools[key] = _pool(name, offer, need.given)
    return list(pools.values())


def _pool(name: str, offer: Offer, given: PoolSpec | None) -> PoolPlacement:
    row = offer.row
    asked = given.model_dump(include=BUILT_AS_ASKED) if given else {}
    return PoolPlacement(
        name=name,
        instance_type=row.instance_type,
        accelerator=row.accelerator or None,
        accelerator_count=int(row.gpus),
        nodes=offer.nodes,
        spot=offer.spot,
        zone=_zone(offer),
        cpus=row.cpus or 0,
        memory_gib=row.memory_gib or 0,
        price_per_node_hour=0 if asked.get("reservation") else offer.price_per_node_hour,
        **asked,
    )


def _name(offer: Offer, taken: set[str]) -> str:
    """`h100-8`, `cpu`, `l4-1-spot`; numbered where that is taken."""
    row = offer.row
    base = f"{row.accelerator}-{row.gpus:g}" if row.accelerator else "cpu"
    base = re.sub(r"[^a-z0-9]+", "-", base.lower()) + ("-spot" if offer.spot else "")
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (base, *numbered) if name not in taken)

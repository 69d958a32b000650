"""The cells of the market: where one machine type can be asked for, down to the zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from colony.market.catalog import Catalog
from colony.market.failures import Blocks
from colony.market.place import ZONE_ID
from colony.market.rows import Row
from components.clusters.aws.data import eks, zones_for, zones_of
from components.clusters.gcp.data import home_of
from components.placement import ClusterPlacement, Placement, PoolPlacement

__all__ = ["Cell", "cells_of", "open_catalog", "pinned", "staying", "zones_in"]


@dataclass(frozen=True)
class Cell:
    """One kind of machine in one place; an empty zone = the cloud chose one."""

    cloud: str
    region: str
    zone: str
    instance_type: str
    accelerator: str
    spot: bool


def zones_in(cloud: str, region: str) -> list[str]:
    """The zones that a price of a whole region holds in; empty = only the cloud knows them."""
    if cloud != "aws":
        return []
    known = eks()["zones"]
    return [region + letter for letter in known["regions"].get(region, known["default"])]


def cells_of(cluster: ClusterPlacement, pool: PoolPlacement) -> list[Cell]:
    """Where a pool is asked for: a pool without a zone, in all that it may be in."""
    zones = zones_for(pool, cluster) if cluster.cloud == "aws" else [pool.zone or ""]
    kind = (pool.instance_type, pool.accelerator or "", pool.spot)
    return [Cell(cluster.cloud, cluster.region, zone, *kind) for zone in zones]


def open_catalog(
    catalog: Catalog, blocks: Blocks, now: float, zones: Iterable[str] = ()
) -> Catalog:
    """The prices that may be asked for now. A region's price of which only some zones are open
    becomes prices of those; `zones` are others that the file names."""
    named = list(zones)
    return Catalog(part for row in catalog.rows for part in _open(row, blocks, now, named))


def pinned(placement: Placement, blocks: Blocks, now: float) -> Placement:
    """Every gang in one zone that is open: its nodes are together, and all or none are bought."""
    clusters = [_pinned(cluster, blocks, now) for cluster in placement.clusters]
    return placement.model_copy(update={"clusters": clusters})


def _pinned(cluster: ClusterPlacement, blocks: Blocks, now: float) -> ClusterPlacement:
    allowed = cluster.zones or zones_in(cluster.cloud, cluster.region)
    if not zones_in(cluster.cloud, cluster.region):
        return cluster

    def free(pool: PoolPlacement) -> list[str]:
        kind = (pool.instance_type, pool.accelerator or "", pool.spot)
        cells = [Cell(cluster.cloud, cluster.region, zone, *kind) for zone in allowed]
        return [cell.zone for cell in cells if not blocks.blocked(cell, now)]

    def pin(pool: PoolPlacement) -> PoolPlacement:
        found = free(pool)
        gang = pool.accelerator and pool.nodes > 1
        if pool.zone or not found or not (gang or len(found) < len(allowed)):
            return pool
        return pool.model_copy(update={"zone": found[0]})

    return cluster.model_copy(update={"pools": [pin(pool) for pool in cluster.pools]})


def staying(before: ClusterPlacement, after: ClusterPlacement) -> ClusterPlacement:
    """What a cluster is to be, where it stays in its region: only what has accelerators moves."""
    if (before.cloud, before.region) != (after.cloud, after.region):
        return after
    return after.model_copy(update={"spans": _spans(before)})


def _spans(cluster: ClusterPlacement) -> list[str] | None:
    """The zones that a cluster is in once it is made."""
    if cluster.cloud == "aws":
        return zones_of(cluster)
    if cluster.cloud == "gcp":
        return [home_of(cluster)]
    if cluster.cloud == "azure":
        return cluster.zones if cluster.spans is None else cluster.spans
    return None


def _open(row: Row, blocks: Blocks, now: float, named: list[str]) -> Iterator[Row]:
    zones = _zones(row, named)
    prices = {zone: _prices(row, zone, blocks, now) for zone in zones}
    if all(pair == (row.price, row.spot_price) for pair in prices.values()):
        yield row
        return
    for zone, (price, spot_price) in prices.items():
        if price is not None or spot_price is not None:
            yield row._replace(zone=zone, price=price, spot_price=spot_price)


def _zones(row: Row, named: list[str]) -> list[str]:
    """AWS files name zones by id, which no error and no subnet does: theirs is the region's."""
    if row.zone and not ZONE_ID.fullmatch(row.zone):
        return [row.zone]
    known = zones_in(row.cloud, row.region)
    more = [zone for zone in named if zone.startswith(row.region) and zone not in known]
    return [*known, *more] if known else [row.zone]


def _prices(row: Row, zone: str, blocks: Blocks, now: float) -> tuple[float | None, float | None]:
    where = (row.cloud, row.region, zone, row.instance_type, row.accelerator)
    price = None if blocks.blocked(Cell(*where, False), now) else row.price
    spot = None if blocks.blocked(Cell(*where, True), now) else row.spot_price
    return price, spot

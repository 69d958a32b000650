"""An idle colony is made small: its machines with accelerators go, everything else stays."""

from __future__ import annotations

import json

from colony.lifecycle.events import tell_events
from colony.lifecycle.ground import Ground, Tell, deployment_of, records_of
from colony.lifecycle.prepare import Plan
from colony.lifecycle.provision import raise_colony
from colony.lifecycle.spending import recorded
from components.placement import ClusterPlacement, Placement
from jobs.errors import RunFailed

__all__ = ["is_stopped", "stop_pools", "without_machines"]


def is_stopped(ground: Ground, stack: str) -> bool:
    """Whether all of its pools with accelerators have no nodes, as its stack config says."""
    found = recorded(ground, stack)
    return found is not None and found[1] == without_machines(found[1], 0.0)


def stop_pools(ground: Ground, stack: str, tell: Tell) -> None:
    """Writes it into the stack config, so that the next `up` shows no change by itself, and does
    it. `colony up FILE` brings the machines back. Raises ColonyError."""
    found, lease = recorded(ground, stack), records_of(ground, stack).lease()
    if found is None or lease is None:
        raise RunFailed(f"{stack} cannot be stopped: its stack config does not say what it has")
    placement = without_machines(found[1], ground.now())
    plan = Plan(found[0], placement, {}, lease.owner, lease.end)
    prices = {"catalog_date": placement.catalog_date, "usd_per_hour": placement.price_per_hour}
    config = {
        "colony:placement": placement.model_dump_json(exclude_none=True),
        "colony:prices": json.dumps(prices, sort_keys=True),
    }
    ground.engine.configure(stack, config)
    raise_colony(ground, plan, tell)
    state = deployment_of(ground, stack)
    tell_events(tell, ground.settle_up(state, float(lease.created)))


def without_machines(placement: Placement, now: float) -> Placement:
    """What was stopped before stays as it was."""
    clusters = [_stopped(each, now) for each in placement.clusters]
    return placement.model_copy(update={"clusters": clusters})


def _stopped(cluster: ClusterPlacement, now: float) -> ClusterPlacement:
    pools = [
        pool.model_copy(update={"stopped": int(now)})
        if pool.accelerator and pool.stopped is None
        else pool
        for pool in cluster.pools
    ]
    return cluster.model_copy(update={"pools": pools})

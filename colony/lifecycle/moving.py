"""A cluster whose place the file has changed: what was made in the old place is left first.

The engine could replace it resource by resource. But a cloud may not take the new beside the old
(names, address ranges of one network), and what controllers made has to be drained by the old
cluster. So it ends there as at the end of a colony, and the `up` makes it in the new place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colony.lifecycle.drain import drain
from colony.lifecycle.events import tell_events
from colony.lifecycle.ground import Ground, LiveCluster, Tell
from colony.lifecycle.locks import take_over
from colony.lifecycle.prepare import Plan
from colony.lifecycle.refused import of_cluster
from colony.lifecycle.state import KUBERNETES, live_clusters, plain, resources
from components.clusters.abilities import facts_of
from components.placement import ClusterPlacement, Placement
from components.spec import OWNED
from jobs.errors import ProvisioningFailed

__all__ = ["leave_old_places", "moved"]

Found = tuple[str, dict[str, Any]]
"""A component's type and inputs."""


def leave_old_places(
    ground: Ground, plan: Plan, deployment: Mapping[str, Any], tell: Tell, since: float
) -> None:
    """Destroys the clusters of a state that are elsewhere now, side by side. Raises
    ProvisioningFailed where something of them stays: the next `up` goes on."""
    stack = plan.spec.name
    names = moved(deployment, stack, plan.placement)
    if not names:
        return
    doomed = [each for name in names for each in of_cluster(stack, name, deployment)]
    tell(f"moved or renamed by the file: {', '.join(names)}; what was made there is left first")
    take_over(ground.engine, stack, tell)
    for note in drain(ground, _live(deployment, doomed), tell):
        tell(note)
    try:
        ground.engine.destroy(stack, only=[each["urn"] for each in doomed])
    except ProvisioningFailed as error:
        said = f"not all of the old {', '.join(names)} is gone, and nothing new was made: {error}"
        raise ProvisioningFailed(
            f"{said} (the next `colony up` goes on)", error.failures
        ) from error
    events = ground.settle_destroy({"resources": doomed}, since)
    if ground.simulated:
        tell_events(tell, events)


def moved(deployment: Mapping[str, Any], stack: str, placement: Placement) -> list[str]:
    """The clusters that the state has on another cloud, in another region or by another name."""
    there = {
        each["urn"].rsplit("::", 1)[-1]: (each["type"], plain(each.get("inputs") or {}))
        for each in resources(deployment)
        if each["type"].startswith("colony:index:")
    }
    elsewhere = [
        cluster.name
        for cluster in placement.clusters
        if (found := there.get(f"{stack}-{cluster.name}")) and not _is_at(cluster, *found)
    ]
    return [*elsewhere, *_renamed(there, stack, placement)]


def _renamed(there: Mapping[str, Found], stack: str, placement: Placement) -> list[str]:
    """Those that the file has no more, on whose hosts, or in whose context, it has another one: the
    end of the old would take the new one along."""
    names = {each.name for each in placement.clusters}
    wanted = {host.address for each in placement.clusters for host in each.hosts}
    wanted |= {each.context for each in placement.clusters if each.context}
    types = {_type(cloud) for cloud in OWNED}
    found = {
        urn.removeprefix(f"{stack}-"): _own(inputs)
        for urn, (type_, inputs) in there.items()
        if type_ in types
    }
    return [name for name, own in found.items() if name not in names and own & wanted]


def _own(inputs: Mapping[str, Any]) -> set[str]:
    """What a cluster stands on that is not ours: its hosts (`user@address:port`), its context."""
    hosts = {host.partition("@")[2].rpartition(":")[0] for host in inputs.get("hosts") or []}
    return hosts | {str(inputs["context"])} if inputs.get("context") else hosts


def _is_at(cluster: ClusterPlacement, type_: str, inputs: Mapping[str, Any]) -> bool:
    return type_ == _type(cluster.cloud) and inputs.get("region") in (None, cluster.region)


def _type(cloud: str) -> str:
    return f"colony:index:{facts_of(cloud).cls.partition(':')[2]}"


def _live(deployment: Mapping[str, Any], doomed: list[dict[str, Any]]) -> list[LiveCluster]:
    """Those whose provider goes."""
    providers = [each for each in doomed if each["type"] == KUBERNETES]
    gone = {str(plain(each.get("inputs") or {}).get("clusterIdentifier")) for each in providers}
    return [each for each in live_clusters(deployment) if each.identifier in gone]

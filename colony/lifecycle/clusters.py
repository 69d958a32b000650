"""Several clusters in one colony: which of them are there, and why the others are not.

They come up side by side; what one cloud refuses stops nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from colony.lifecycle.dropping import forget_left, leave_dropped
from colony.lifecycle.ground import Ground, LiveCluster, Tell, deployment_of, records_of
from colony.lifecycle.moving import leave_old_places
from colony.lifecycle.phases import ColonyPhase, Seen, Status, derive
from colony.lifecycle.prepare import Plan
from colony.lifecycle.raising import raised
from colony.lifecycle.readiness import late_text, with_nodes
from colony.lifecycle.standing import standing
from colony.lifecycle.state import KUBERNETES, UNKNOWN, live_clusters, plain, resources
from colony.market.failures import Kind, classify
from components.placement import Placement
from components.tags import short_names
from jobs.errors import NotReady, ProvisioningFailed

__all__ = ["cluster_of", "raise_clusters", "seen_clusters", "status_of"]

REASONS = {
    Kind.QUOTA: "QuotaExceeded",
    Kind.CAPACITY: "NoCapacity",
    Kind.CREDENTIAL: "NotAuthorized",
    Kind.THROTTLE: "Throttled",
    Kind.HOST: "HostFailed",
}
COMPONENT = "colony:index:"
PATIENCE = 1800.0
"""Seconds from the end of an `up` until all GPU nodes must be ready."""
POLL = 15.0


def raise_clusters(ground: Ground, plan: Plan, tell: Tell) -> Status:
    """`up` of all clusters, until their GPU nodes can be used. Raises ProvisioningFailed, or
    NotReady for credentials that do not work, with what is ready nevertheless."""
    stack, since = plan.spec.name, ground.now()
    before = deployment_of(ground, stack)
    kept = _identifiers(before, stack, _names(plan.placement)).values()
    left = leave_dropped(ground, plan, before, kept, tell)
    leave_old_places(ground, plan, before, tell, since)
    failed, unable = None, False
    try:
        plan = raised(ground, plan, tell, since)
    except ProvisioningFailed as error:
        failed = error
    except NotReady as error:
        if not isinstance(error.__cause__, ProvisioningFailed):
            raise
        failed, unable = error.__cause__, True
    _remember(ground, plan, failed.failures if failed else {})
    forget_left(ground, stack, left, tell)
    status = status_of(ground, stack) if failed else _awaited(ground, stack, tell)
    if status.phase is ColonyPhase.READY:
        records = records_of(ground, stack)
        records.write("phase", {**(records.read("phase") or {}), "ready": True})
    if failed:
        _refuse(f"{failed}; {status.summary}; {_next(plan, status)}", failed, unable)
    if late := _late(status):
        why = f"after {PATIENCE / 60:.0f} minutes {late}; {status.summary}; {_next(plan, status)}"
        raise ProvisioningFailed(why)
    return status


def _refuse(why: str, failed: ProvisioningFailed, unable: bool) -> NoReturn:
    if unable:
        raise NotReady(why) from failed
    raise ProvisioningFailed(why, failed.failures)


def _next(plan: Plan, status: Status) -> str:
    """What is there may be paid for, until somebody does one of the two."""
    cost = f", at ${status.usd_per_hour:,.2f} per hour" if status.usd_per_hour else ""
    return f"what is up stays{cost}: `colony up` again goes on from it, `{plan.end}` ends it"


def status_of(ground: Ground, stack: str) -> Status:
    """From the state, the nodes, the last `up`'s refusals, and whether somebody is at work."""
    records = records_of(ground, stack)
    known = records.read("phase") or {}
    config, deployment = _known(ground, stack)
    written = config.get("colony:placement")
    placement = Placement.model_validate_json(written) if written else Placement(clusters=[])
    intended = _names(placement)
    failures = known.get("failures", {})
    seen = seen_clusters(deployment, stack, intended, failures)
    planes = _identifiers(deployment, stack, intended)
    status = derive(
        intended,
        with_nodes(ground, config, _live(deployment, stack, intended), seen),
        deleting=bool((records.read("clusters") or {}).get("ending")),
        busy=bool(ground.engine.locks(stack)),
        was_ready=bool(known.get("ready")),
    )
    paid = standing(placement, deployment, stack, planes).price_per_hour
    return replace(status, usd_per_hour=paid)


def seen_clusters(
    deployment: Mapping[str, Any],
    stack: str,
    intended: list[str],
    failures: Mapping[str, Mapping[str, str]],
) -> dict[str, Seen]:
    """A cluster is ready once its nodes and what they need are there: its component says so."""
    found = {name: Seen(False, reason="NotThereYet") for name in intended}
    found |= {name: Seen(True) for name in _ready(deployment, stack, intended)}
    for name, failure in failures.items():
        found[name] = Seen(False, True, failure["reason"], failure["message"])
    return found


def _awaited(ground: Ground, stack: str, tell: Tell) -> Status:
    """The status once no GPU node is late any more, or patience is at its end."""
    status = status_of(ground, stack)
    if not _late(status):
        return status
    # The state stays as it is meanwhile: only the nodes are asked again.
    config, deployment = _known(ground, stack)
    live = _live(deployment, stack, list(status.clusters))
    until, told, late = ground.now() + PATIENCE, "", _late(status)
    while late and ground.now() < until:
        if late != told:
            tell(f"waiting: {late}")
        told = late
        ground.wait(POLL)
        late = late_text(with_nodes(ground, config, live, {name: Seen(True) for name in live}))
    return status_of(ground, stack)


def _late(status: Status) -> str:
    return late_text(status.clusters)


def _known(ground: Ground, stack: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The stack's config and state."""
    return ground.engine.config(stack), deployment_of(ground, stack)


def _live(deployment: Mapping[str, Any], stack: str, clusters: list[str]) -> dict[str, LiveCluster]:
    """By the placement's names."""
    names = {text: name for name, text in _identifiers(deployment, stack, clusters).items()}
    found = live_clusters(deployment)
    return {names[each.identifier]: each for each in found if each.identifier in names}


def _ready(deployment: Mapping[str, Any], stack: str, clusters: list[str]) -> list[str]:
    """Those whose component has the output `ready`, a number: of all that it waits for."""
    said = {
        resource["urn"].rsplit("::", 1)[-1]: (resource.get("outputs") or {}).get("ready")
        for resource in resources(deployment)
        if resource["type"].startswith(COMPONENT)
    }
    return [name for name in clusters if isinstance(said.get(f"{stack}-{name}"), (int, float))]


def _identifiers(deployment: Mapping[str, Any], stack: str, clusters: list[str]) -> dict[str, str]:
    """Of the clusters whose provider is in the state."""
    heads = {head: each for each in clusters for head in short_names(f"{stack}-{each}")}
    names = {f"{head}-kubernetes": each for head, each in heads.items()}
    found = {}
    for resource in resources(deployment):
        cluster = names.get(resource["urn"].rsplit("::", 1)[-1])
        if resource["type"] == KUBERNETES and cluster:
            found[cluster] = str(plain(resource.get("inputs") or {}).get("clusterIdentifier"))
    return {name: text for name, text in found.items() if text not in (UNKNOWN, "None", "")}


def cluster_of(urn: str, stack: str, clusters: list[str]) -> str | None:
    """Whose resource that is, by its name: `<colony>-<cluster>-…`, however it was shortened."""
    name = urn.rsplit("::", 1)[-1]
    for cluster in sorted(clusters, key=len, reverse=True):
        heads = short_names(f"{stack}-{cluster}")
        if any(name == head or name.startswith(f"{head}-") for head in heads):
            return cluster
    return None


def _remember(ground: Ground, plan: Plan, failures: Mapping[str, str]) -> None:
    """By cluster; the first refusal of each says why."""
    stack, clouds = plan.spec.name, {each.name: each.cloud for each in plan.placement.clusters}
    found: dict[str, dict[str, str]] = {}
    for urn, text in failures.items():
        cluster = cluster_of(urn, stack, list(clouds))
        if cluster and text and cluster not in found:
            found[cluster] = _reason(clouds[cluster], urn, text)
    records = records_of(ground, stack)
    was_ready = bool((records.read("phase") or {}).get("ready"))
    records.write("phase", {"failures": found, "ready": was_ready})


def _reason(cloud: str, urn: str, text: str) -> dict[str, str]:
    failure = classify(cloud, text)
    reason = REASONS.get(failure.kind, "Refused") if failure.code else "Failed"
    return {"reason": reason, "message": f"{urn.rsplit('::', 1)[-1]}: {failure.text}"}


def _names(placement: Placement) -> list[str]:
    return [cluster.name for cluster in placement.clusters]

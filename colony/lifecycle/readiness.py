"""A GPU cluster is ready when all of its GPU nodes are: the nodes are asked, and waited for."""

from __future__ import annotations

from collections.abc import Mapping

from colony.lifecycle.gpu_nodes import lacking
from colony.lifecycle.ground import Ground, LiveCluster
from colony.lifecycle.phases import Seen
from components.layer_choice import chosen_layers
from components.placement import ClusterPlacement, Placement
from components.spec import ColonySpec
from jobs.errors import ColonyError

__all__ = ["LATE", "late_text", "with_nodes"]

LATE, SILENT = "GpuNodesNotReady", "Unreachable"


def with_nodes(
    ground: Ground,
    config: Mapping[str, str],
    live: Mapping[str, LiveCluster],
    seen: Mapping[str, Seen],
) -> dict[str, Seen]:
    """What is known of clusters, after a look at their nodes. `live` are those in the state by
    name, `config` is the stack's. A cluster that does not answer is not known to be ready."""
    if "colony:placement" not in config or "colony:spec" not in config:
        return dict(seen)
    placement = Placement.model_validate_json(config["colony:placement"])
    spec = ColonySpec.model_validate_json(config["colony:spec"])
    found = dict(seen)
    for place in placement.clusters:
        gpus = any(pool.accelerator_count for pool in place.pools)
        if gpus and place.name in live and found.get(place.name, Seen()).ready:
            found[place.name] = _seen(ground, spec, placement, place, live[place.name])
    return found


def late_text(seen: Mapping[str, Seen]) -> str:
    """Of which cluster which nodes are late, or nobody answers; empty = of none."""
    late = {name: each.message for name, each in seen.items() if each.reason in (LATE, SILENT)}
    return "; ".join(f"{name}: {message}" for name, message in late.items())


def _seen(
    ground: Ground,
    spec: ColonySpec,
    placement: Placement,
    place: ClusterPlacement,
    cluster: LiveCluster,
) -> Seen:
    try:
        nodes = ground.nodes(cluster)
    except ColonyError as error:
        return Seen(None, reason=SILENT, message=str(error))
    if nodes is None:
        return Seen(True)
    late = lacking(place, nodes, _served(spec, placement, place))
    return Seen(False, reason=LATE, message="; ".join(late)) if late else Seen(True)


def _served(spec: ColonySpec, placement: Placement, place: ClusterPlacement) -> set[str]:
    """Resources that the cluster's layers make known."""
    jobs = [job for job in spec.jobs if placement.jobs.get(job.name) == place.name]
    layers = chosen_layers(spec, place, jobs)
    return {name for chosen in layers for name in chosen.layer.provides.resources}

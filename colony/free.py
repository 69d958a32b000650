"""How much is free on the existing clusters of a file, asked of them for a plan: reads only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from colony.contexts import kubeconfigs_of
from colony.gate import Reading, read
from components.placement import ClusterPlacement, Placement
from components.spec import ClusterSpec, ColonySpec
from jobs.errors import ColonyError
from jobs.gate.demand import demands_of
from jobs.gate.nodes import nodes_of
from jobs.gate.packing import room
from jobs.spec import Job

__all__ = ["asking", "free_nodes"]


def asking(spec: ColonySpec, tell: Callable[[str], None]) -> Callable[[str, Job], int | None]:
    """Cluster, job -> nodes of the job's size that are free now; None where that is not known,
    after telling why. Each cluster is asked once."""
    given = {cluster.name: cluster for cluster in spec.clusters}

    @cache
    def reading(name: str) -> Reading | None:
        try:
            return _read(spec, given[name])
        except ColonyError as error:
            tell(f"what is free on cluster {name} is not known: {error}")
            return None

    def free(name: str, job: Job) -> int | None:
        seen = reading(name)
        return None if seen is None else free_nodes(job, seen)

    return free


def free_nodes(job: Job, seen: Reading) -> int:
    """Of the role that needs the most: pods of it that fit now, each on one node."""
    demand = max(demands_of(job), key=lambda each: each.gpus * each.replicas)
    return room(demand, nodes_of(seen.nodes, seen.pods), job.spread)


def _read(spec: ColonySpec, cluster: ClusterSpec) -> Reading:
    from colony.lifecycle.kube import Kube  # late: a plan without such clusters needs no client

    placed = ClusterPlacement(
        name=cluster.name, cloud="existing", region="", context=cluster.context
    )
    (text,) = kubeconfigs_of(spec, Placement(clusters=[placed])).values()
    return read(Kube(text, cluster.context))

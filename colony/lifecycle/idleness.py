"""What the agents of a colony ask for, because nobody uses it."""

from __future__ import annotations

from collections.abc import Iterable

from colony.lifecycle.agent_maps import written
from colony.lifecycle.ground import ClusterAccess, Ground, State, state_of
from colony.lifecycle.spending import recorded
from colony.lifecycle.state import live_clusters
from components.agent_idle import idle_name
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.errors import ColonyError

__all__ = ["UNUSED", "idle_signal", "signal_of", "together"]

UNUSED = "idle: nobody used it for as long as its file says"


def idle_signal(ground: Ground, stack: str, state: State | None = None) -> str:
    """`delete`, `stop` or nothing, of a colony that is there: what all of its clusters ask for.

    A cluster that cannot be asked asks for nothing. `state` as for `completed`.
    """
    found = recorded(ground, stack)
    if found is None or found[0].idle is None:
        return ""
    clusters = live_clusters((state or state_of(ground, stack))())
    return signal_of([ground.cluster(cluster) for cluster in clusters], found[0])


def signal_of(accesses: Iterable[ClusterAccess], spec: ColonySpec) -> str:
    """The same, of clusters that can be asked."""
    if spec.idle is None:
        return ""
    return together(_signal(access, spec) for access in accesses)


def together(signals: Iterable[str]) -> str:
    """One busy cluster keeps a colony; of two timers that have passed the weaker counts."""
    asked = set(signals)
    if not asked or "" in asked:
        return ""
    return "stop" if "stop" in asked else "delete"


def _signal(access: ClusterAccess, spec: ColonySpec) -> str:
    spaces = sorted({namespace_of(job, spec) for job in spec.jobs}) or ["default"]
    try:
        found = written(access, spaces, spec.name, idle_name)
    except ColonyError:
        return ""
    return str(found[0].get("signal", "")) if found else ""

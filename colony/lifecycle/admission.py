"""Is there room for the jobs on the clusters that exist already? Asked before the lease."""

from __future__ import annotations

from colony.gate import Line, admit
from colony.gate_line import ClusterLine
from colony.kubeapi import KubeApi
from colony.lifecycle.ground import Ground, Tell
from colony.lifecycle.kube import Kube
from colony.lifecycle.prepare import Plan
from jobs.spec import Job

__all__ = ["wait_for_room"]


def wait_for_room(ground: Ground, plan: Plan, tell: Tell) -> None:
    """Returns when all jobs may go: first come, first served, among those that ask here.

    Raises NoOffer for what can never run there, or found no room in a day.
    """
    where = {
        each.name: ground.kubeconfig(plan.kubeconfigs.get(each.name, ""))
        for each in plan.placement.clusters
        if each.cloud == "existing"
    }
    if not any(where.values()):
        return

    def line_of(cluster: str, job: Job) -> Line:
        return ClusterLine(KubeApi(where[cluster]), cluster, plan.spec.name, job.name)

    admit(plan.spec, plan.placement, lambda name: Kube(where[name]), ground, tell, line_of=line_of)

"""Jobs are told to end while their machines are still there: SIGTERM, then the grace."""

from __future__ import annotations

from collections.abc import Mapping

from colony.lifecycle.ground import ClusterAccess, Ground, Tell
from colony.lifecycle.kinds import WORKLOADS, carries
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.errors import ColonyError
from jobs.spec import Job

__all__ = ["stop_jobs"]

STEP = 1.0


def stop_jobs(
    ground: Ground, spec: ColonySpec, accesses: Mapping[str, ClusterAccess], tell: Tell
) -> None:
    """Deletes every job's workload, by cluster access of each job, and waits for its pods, at most
    for the grace. A cluster that does not answer holds nothing up."""
    until = ground.now() + spec.teardown.grace
    asked = [job for job in spec.jobs if job.name in accesses]
    for job in asked:
        tell(f"job {job.name} is told to end: {spec.teardown.grace} s for its last checkpoint")
        _delete(accesses[job.name], job, namespace_of(job, spec))
    while ground.now() < until and any(
        _pods(accesses[job.name], job, namespace_of(job, spec)) for job in asked
    ):
        ground.wait(STEP)


def _delete(access: ClusterAccess, job: Job, namespace: str) -> None:
    kind = WORKLOADS[job.backend.value]
    try:
        for thing in access.objects(kind, namespace):
            owned = thing["metadata"].get("ownerReferences")
            if carries(thing, job.name) and not owned:
                access.delete(kind, namespace, thing["metadata"]["name"])
    except ColonyError:  # the destroy that follows deletes them too
        return


def _pods(access: ClusterAccess, job: Job, namespace: str) -> bool:
    over = ("Succeeded", "Failed")
    try:
        pods = access.objects("Pod", namespace)
    except ColonyError:
        return False
    return any(
        carries(pod, job.name) and (pod.get("status") or {}).get("phase") not in over
        for pod in pods
    )

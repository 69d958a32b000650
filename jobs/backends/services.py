"""The services of a job: names for its pods, and one address for the pod of rank 0.

All publish addresses before the pods are ready: who needs a port waits for the port, not for DNS.
"""

from __future__ import annotations

from jobs.backends.marks import Manifest, metadata, role_labels, spread_labels
from jobs.context import JobContext
from jobs.environment import service_ports
from jobs.frameworks import team
from jobs.hosts import service_name
from jobs.roles import rank0
from jobs.spec import Job

__all__ = ["headless", "rank0_service"]


def headless(job: Job, context: JobContext) -> Manifest:
    """`<job>`: with it `<hostname>.<job>` is the address of every pod of the job."""
    return _service(job, context, job.name, spread_labels(job, context), {"clusterIP": "None"})


def rank0_service(job: Job, context: JobContext, index_label: str) -> list[Manifest]:
    """`<job>-rank0`: a ClusterIP that outlives a new start of that pod.

    `index_label` is where the engine writes the index of a pod. Pods that are each a world of
    their own need none.
    """
    if team(job).alone:
        return []
    selector = {**role_labels(job, rank0(job), context), index_label: "0"}
    ports = [
        {"name": name, "port": port, "targetPort": port}
        for name, port in service_ports(job).items()
    ]
    spec = {"type": "ClusterIP", "ports": ports}
    return [_service(job, context, service_name(job), selector, spec)]


def _service(
    job: Job, context: JobContext, name: str, selector: dict[str, str], spec: Manifest
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(job, context, name),
        "spec": {**spec, "publishNotReadyAddresses": True, "selector": selector},
    }

"""A workload object -> what is said of it. Which kind belongs to which engine.

Fields: JobSet v1alpha2, batch/v1 Job, Volcano batch/v1alpha1 Job, Trainer v1alpha1 TrainJob,
MPI operator v2beta1 MPIJob, KubeRay v1 RayJob, read from their Go types.
"""

from __future__ import annotations

from typing import Any

from jobs.observing.engines_batch import read_job, read_jobset
from jobs.observing.engines_kubeflow import read_mpijob, read_trainjob
from jobs.observing.engines_ray import read_rayjob
from jobs.observing.engines_volcano import read_volcano
from jobs.observing.reading import text
from jobs.observing.said import Said

__all__ = ["read_workload"]

READERS = {
    "JobSet": read_jobset,
    "TrainJob": read_trainjob,
    "MPIJob": read_mpijob,
    "RayJob": read_rayjob,
}


def read_workload(thing: Any) -> Said | None:
    """None for any other kind. Volcano calls its kind `Job` too."""
    kind = text(thing, "kind")
    if kind == "Job":
        volcano = text(thing, "apiVersion").startswith("batch.volcano.sh/")
        return read_volcano(thing) if volcano else read_job(thing)
    reader = READERS.get(kind)
    return reader(thing) if reader else None

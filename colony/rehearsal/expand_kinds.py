"""Which controller's ways are in which file."""

from __future__ import annotations

from colony.rehearsal.expand import Expander
from colony.rehearsal.expand_batch import of_jobs, of_jobset, of_trainjob
from colony.rehearsal.expand_mpijob import of_mpijob
from colony.rehearsal.expand_rayjob import of_rayjob
from colony.rehearsal.expand_volcano import of_volcano

__all__ = ["EXPANDERS"]

EXPANDERS: dict[str, Expander] = {
    "JobSet": of_jobset,
    "Job": of_jobs,
    "VolcanoJob": of_volcano,
    "TrainJob": of_trainjob,
    "MPIJob": of_mpijob,
    "RayJob": of_rayjob,
}
"""By the names of `expand.KINDS`."""

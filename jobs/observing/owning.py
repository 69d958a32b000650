"""Which objects of a namespace are a job's own."""

from __future__ import annotations

import re
from typing import Any

from jobs.observing.pods import ROLE_LABEL
from jobs.observing.reading import labels, metadata, owner, table, text
from jobs.observing.view import role_in
from jobs.spec import Job

__all__ = ["JOB_LABEL", "ROLE_LABEL", "belongs"]

JOB_LABEL = "colony.dev/job"
JOBSET_NAME = "jobset.sigs.k8s.io/jobset-name"
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def belongs(thing: Any, job: Job | None) -> bool:
    """By label, else by owner, else by name. Every node does; without a job, everything."""
    if job is None:
        return True
    label = text(labels(thing), JOB_LABEL) or text(labels(thing), JOBSET_NAME)
    if label:
        return label == job.name
    kind = text(thing, "kind")
    if kind == "Event":
        about = table(thing, "involvedObject") or table(thing, "regarding")
        return _named(text(about, "name"), job)
    made_by = text(owner(thing), "name")
    return kind == "Node" or _named(made_by or text(metadata(thing), "name"), job)


def _named(name: str, job: Job) -> bool:
    """`train`, `train-worker-0-1-x5b2k`, `train-UID`, but no `train-again`."""
    if name == job.name:
        return True
    if not name.startswith(f"{job.name}-"):
        return f"-{job.name}-" in name and name.startswith(f"{job.backend.value}-")
    rest = name[len(job.name) + 1 :]
    return bool(role_in(job.roles, rest) or UID.fullmatch(rest) or "-" not in rest)

"""What the agents of a colony have written down: that its jobs have ended, and how.

The attached run writes the completion record itself; of a colony that `up` has made, the agents say
it, each of its own cluster's jobs (`teardown.signals`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from colony.agent.completion import worst_of
from colony.lifecycle.accesses import accesses_of
from colony.lifecycle.agent_maps import written
from colony.lifecycle.cancelled import cancelled_jobs
from colony.lifecycle.ground import ClusterAccess, Ground, State, records_of, state_of
from colony.lifecycle.keeping import outlives
from colony.lifecycle.spending import recorded
from components.agent_completion import completion_name
from components.placement import Placement
from components.quota import namespace_of
from components.spec import ColonySpec
from jobs.errors import ColonyError

__all__ = ["completed"]


def completed(ground: Ground, stack: str, state: State | None = None) -> dict[str, Any] | None:
    """The completion of a colony that is there, written beside its state the first time that all of
    its clusters with jobs say so. None while one of them does not, or cannot be asked. `state`
    gives its state where somebody has read it already."""
    found = recorded(ground, stack)
    if found is None or found[0].teardown.signals is None or not found[0].jobs:
        return None
    spec, placement = found
    accesses = accesses_of(ground, (state or state_of(ground, stack))())
    said = _said(spec, placement, accesses)
    if said is None:
        return None
    jobs, by_hand = _jobs_of(said), cancelled_jobs(records_of(ground, stack))
    jobs |= {job: "cancelled" for job in by_hand if jobs.get(job) == "lost"}
    outcome = worst_of(jobs.values())
    completion = {
        "outcome": "failed" if outcome == "lost" else outcome,
        "at": max(float(one["at"]) for one in said),
        "jobs": {job: _told(result) for job, result in jobs.items()},
        "keep": outlives(spec, outcome),
        "reason": next((one["reason"] for one in said if one["reason"]), ""),
    }
    records_of(ground, stack).write("completion", completion)
    return completion


def _said(
    spec: ColonySpec, placement: Placement, accesses: Mapping[str, ClusterAccess]
) -> list[dict[str, Any]] | None:
    """One record a cluster that has jobs, or None."""
    said = []
    for name in sorted(set(placement.jobs.values())):
        jobs = [job for job in spec.jobs if placement.jobs.get(job.name) == name]
        spaces = sorted({namespace_of(job, spec) for job in jobs})
        record = _record(accesses.get(name), spaces, spec.name)
        if record is None or not {job.name for job in jobs} <= set(record["jobs"]):
            return None
        said.append(record)
    return said or None


def _record(access: ClusterAccess | None, spaces: list[str], colony: str) -> dict[str, Any] | None:
    try:
        maps = written(access, spaces, colony, completion_name) if access else []
    except ColonyError:
        return None
    texts = [data.get("completion") for data in maps]
    found = json.loads(next((text for text in texts if text), "null"))
    return found if isinstance(found, dict) else None


def _jobs_of(said: list[dict[str, Any]]) -> dict[str, str]:
    return {job: result for one in said for job, result in one["jobs"].items()}


def _told(outcome: str) -> str:
    """As receipts say it."""
    return "failed" if outcome == "lost" else outcome

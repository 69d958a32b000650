"""Kubeflow's TrainJob (Trainer v2) and MPIJob (MPI operator v2beta1).

A TrainJob is run by a JobSet of the same name, which knows more: `with_jobset`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jobs.observing.engines_batch import released, suspended
from jobs.observing.reading import (
    condition,
    items,
    metadata,
    owner,
    positive,
    status,
    table,
    text,
    when,
)  # fmt: skip
from jobs.observing.said import Engine, RoleSaid, Said, Verdict

__all__ = ["read_mpijob", "read_trainjob", "with_jobset"]

BACKOFF_LIMIT = 6
"""The MPI operator's default for the launcher."""


def read_trainjob(thing: Any) -> Said:
    said, failed = status(thing), condition(thing, "Failed")
    done = condition(thing, "Complete")
    return Said(
        Engine.TRAINJOB,
        text(metadata(thing), "name"),
        owned=bool(owner(thing)),
        heard=bool(said),
        verdict=_verdict(failed, done),
        reason=text(failed, "reason"),
        message=text(failed or condition(thing, "Suspended"), "message"),
        suspended=suspended(thing),
        began=released(thing),
        roles={
            name: _child_jobs(each)
            for each in items(said, "jobsStatus")
            if (name := text(each, "name"))
        },
    )


def with_jobset(train: Said, child: Said | None) -> Said:
    """The TrainJob's verdict and suspension; everything else from its JobSet."""
    if child is None:
        return train
    return replace(
        child,
        engine=train.engine,
        owned=train.owned,
        heard=train.heard or child.heard,
        verdict=train.verdict or child.verdict,
        reason=train.reason or child.reason,
        message=train.message or child.message,
        suspended=train.suspended,
        roles=child.roles or train.roles,
    )


def read_mpijob(thing: Any) -> Said:
    said, failed = status(thing), condition(thing, "Failed")
    return Said(
        Engine.MPIJOB,
        text(metadata(thing), "name"),
        owned=bool(owner(thing)),
        heard=bool(said),
        verdict=_verdict(failed, condition(thing, "Succeeded")),
        reason=text(failed, "reason"),
        message=text(failed or condition(thing, "Suspended"), "message"),
        evicted=text(failed, "reason") == "MPIJobEvicted",
        suspended=_mpi_suspended(thing),
        restarting=condition(thing, "Restarting") is not None,
        began=when(said.get("startTime")) or released(thing),
        roles=_mpi_roles(thing),
    )


def _verdict(failed: Any, done: Any) -> Verdict | None:
    if failed:
        return Verdict.FAILED
    return Verdict.SUCCEEDED if done else None


def _child_jobs(counted: Any) -> RoleSaid:
    """Counted in Jobs: what they ask for is known to the JobSet only."""
    active, succeeded = positive(counted, "ready"), positive(counted, "succeeded")
    failed = positive(counted, "failed")
    return RoleSaid(active + succeeded + failed or 1, active, succeeded, failed)


def _mpi_suspended(thing: Any) -> bool:
    asked = table(thing, "spec", "runPolicy").get("suspend") is True
    return suspended(thing) or (asked and condition(thing, "Suspended", "False") is None)


def _mpi_roles(thing: Any) -> dict[str, RoleSaid]:
    counted = table(thing, "status", "replicaStatuses")
    limit = positive(table(thing, "spec", "runPolicy"), "backoffLimit", BACKOFF_LIMIT)
    return {
        name.lower(): _replicas(each, table(counted, name), limit if name == "Launcher" else 0)
        for name, each in table(thing, "spec", "mpiReplicaSpecs").items()
        if isinstance(name, str)
    }


def _replicas(wanted: Any, counted: Any, retries: int) -> RoleSaid:
    expected = positive(wanted, "replicas", 1)
    active, succeeded = positive(counted, "active"), positive(counted, "succeeded")
    failed = positive(counted, "failed")
    pending = max(0, expected - active - succeeded - failed)
    return RoleSaid(expected, active, succeeded, failed, pending, retries)

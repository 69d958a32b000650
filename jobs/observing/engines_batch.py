"""JobSet and batch Job. https://jobset.sigs.k8s.io/docs/reference/,
https://kubernetes.io/docs/concepts/workloads/controllers/job/."""

from __future__ import annotations

from typing import Any

from jobs.observing.pods import ROLE_LABEL
from jobs.observing.reading import (
    condition,
    items,
    labels,
    metadata,
    owner,
    positive,
    status,
    table,
    text,
    when,
)  # fmt: skip
from jobs.observing.said import FOREVER, Engine, RoleSaid, Said, Verdict

__all__ = ["read_job", "read_jobset", "released", "suspended"]

JOBSET_NAME = "jobset.sigs.k8s.io/jobset-name"
BACKOFF_LIMIT = 6
"""Kubernetes' default."""
ENDLESS = 2**31 - 1


def read_jobset(thing: Any) -> Said:
    said = status(thing)
    failed = condition(thing, "Failed")
    verdict = _verdict(text(said, "terminalState"), failed, condition(thing, "Completed"))
    attempt = positive(said, "restarts")
    return Said(
        Engine.JOBSET,
        text(metadata(thing), "name"),
        owned=bool(owner(thing)),
        heard=bool(said),
        verdict=verdict,
        reason=text(failed, "reason"),
        message=text(failed or condition(thing, "Suspended"), "message"),
        suspended=suspended(thing),
        starting=condition(thing, "StartupPolicyInProgress") is not None,
        restarting=attempt > 0,
        attempt=attempt,
        restarts_left=_restarts_left(thing, attempt),
        began=released(thing),
        roles=_jobset_roles(thing),
    )


def read_job(thing: Any) -> Said:
    """One role of a job; the child of another workload where it has an owner."""
    said, name = status(thing), text(metadata(thing), "name")
    failed = condition(thing, "Failed") or condition(thing, "FailureTarget")
    verdict = _verdict("", failed, condition(thing, "Complete"))
    role = text(labels(thing), ROLE_LABEL)
    return Said(
        Engine.JOB,
        name,
        owned=bool(owner(thing) or text(labels(thing), JOBSET_NAME)),
        heard=bool(said),
        verdict=verdict,
        reason=text(failed, "reason"),
        message=text(failed or condition(thing, "Suspended"), "message"),
        suspended=suspended(thing),
        began=when(said.get("startTime")) or released(thing),
        roles={role: _job_role(thing, verdict)},
    )


def suspended(thing: Any) -> bool:
    """The controller's word; before it, what is asked of it."""
    if condition(thing, "Suspended"):
        return True
    released = condition(thing, "Suspended", "False")
    return released is None and table(thing, "spec").get("suspend") is True


def released(thing: Any) -> float | None:
    """When its pods could be made: created, or let out of a queue."""
    resumed = condition(thing, "Suspended", "False")
    return when((resumed or {}).get("lastTransitionTime")) or when(
        metadata(thing).get("creationTimestamp")
    )


def _verdict(terminal: str, failed: Any, done: Any) -> Verdict | None:
    if failed or terminal == "Failed":
        return Verdict.FAILED
    return Verdict.SUCCEEDED if done or terminal == "Completed" else None


def _restarts_left(thing: Any, attempt: int) -> int:
    most = positive(table(thing, "spec", "failurePolicy"), "maxRestarts")
    return max(0, most - positive(status(thing), "restartsCountTowardsMax", attempt))


def _jobset_roles(thing: Any) -> dict[str, RoleSaid]:
    counted = {text(each, "name"): each for each in items(thing, "status", "replicatedJobsStatus")}
    return {
        name: _replicated(each, counted.get(name, {}))
        for each in items(thing, "spec", "replicatedJobs")
        if (name := text(each, "name"))
    }


def _replicated(wanted: Any, counted: Any) -> RoleSaid:
    """The status counts Jobs; a Job is ready when all its pods are, so all its pods count."""
    spec = table(wanted, "template", "spec")
    size = positive(spec, "parallelism", 1)
    expected = positive(wanted, "replicas", 1) * size
    succeeded = positive(counted, "succeeded") * size
    active = positive(counted, "ready") * size
    failed = positive(counted, "failed") * size
    return RoleSaid(
        expected=expected,
        active=active,
        succeeded=succeeded,
        failed=failed,
        pending=max(0, expected - active - succeeded - failed),
        retries=_retries(spec),
        padded=positive(spec, "backoffLimit") >= ENDLESS,
        forgives=_forgives(spec),
    )


def _job_role(thing: Any, verdict: Verdict | None) -> RoleSaid:
    spec, said = table(thing, "spec"), status(thing)
    active = positive(said, "ready")
    return RoleSaid(
        expected=positive(spec, "completions", positive(spec, "parallelism", 1)),
        active=active,
        succeeded=positive(said, "succeeded"),
        failed=positive(said, "failed"),
        pending=max(0, positive(said, "active") - active),
        retries=_retries(spec),
        padded=positive(spec, "backoffLimit") >= ENDLESS,
        forgives=_forgives(spec),
        verdict=verdict,
    )


def _retries(spec: Any) -> int:
    """With a bound an index, the controller alone can count."""
    if "backoffLimitPerIndex" in spec:
        return FOREVER if positive(spec, "backoffLimitPerIndex") else 0
    return positive(spec, "backoffLimit", BACKOFF_LIMIT)


def _forgives(spec: Any) -> bool:
    return any(
        rule.get("action") == "Ignore"
        and any(each.get("type") == "DisruptionTarget" for each in items(rule, "onPodConditions"))
        for rule in items(spec, "podFailurePolicy", "rules")
    )

"""Volcano's Job. A policy says what follows an event (https://volcano.sh/en/docs/vcjob/)."""

from __future__ import annotations

from typing import Any

from jobs.observing.reading import items, metadata, owner, positive, status, table, text, when
from jobs.observing.said import Engine, RoleSaid, Said, Verdict

__all__ = ["read_volcano"]

VERDICTS = {
    "Completed": Verdict.SUCCEEDED,
    "Failed": Verdict.FAILED,
    "Aborted": Verdict.FAILED,
    "Terminated": Verdict.FAILED,
}
STOPPED_BY = {"Aborted": "AbortJob", "Terminated": "TerminateJob"}
MAX_RETRY = 3
"""Volcano's default."""


def read_volcano(thing: Any) -> Said:
    said, state = status(thing), table(thing, "status", "state")
    phase = text(state, "phase")
    retried = positive(said, "retryCount")
    return Said(
        Engine.VOLCANO,
        text(metadata(thing), "name"),
        owned=bool(owner(thing)),
        heard=bool(phase),
        verdict=VERDICTS.get(phase),
        reason=text(state, "reason") or phase,
        message=text(state, "message"),
        evicted=_evicted(thing, phase),
        restarting=phase == "Restarting" or retried > 0,
        attempt=retried,
        restarts_left=_restarts_left(thing, retried),
        began=when(metadata(thing).get("creationTimestamp")),
        roles=_roles(thing),
    )


def _restarts_left(thing: Any, retried: int) -> int:
    """The start that makes it `maxRetry` of them fails the job."""
    actions = {
        text(policy, "action")
        for policy in _policies(thing)
        if _named(policy) & {"PodFailed", "PodEvicted", "*"}
    }
    if not any(action.startswith("Restart") for action in actions):
        return 0
    return max(0, positive(table(thing, "spec"), "maxRetry", MAX_RETRY) - 1 - retried)


def _evicted(thing: Any, phase: str) -> bool:
    """Stopped as its policy says of evicted pods, and no pod failed: those are kept."""
    action = STOPPED_BY.get(phase)
    follows = {text(each, "action") for each in _policies(thing) if "PodEvicted" in _named(each)}
    return action in follows and not positive(status(thing), "failed")


def _policies(thing: Any) -> list[dict[str, Any]]:
    tasks = items(thing, "spec", "tasks")
    return items(thing, "spec", "policies") + [p for task in tasks for p in items(task, "policies")]


def _named(policy: dict[str, Any]) -> set[str]:
    several = policy.get("events")
    found = several if isinstance(several, list) else []
    return {each for each in (policy.get("event"), *found) if isinstance(each, str)}


def _roles(thing: Any) -> dict[str, RoleSaid]:
    counted = table(thing, "status", "taskStatusCount")
    return {
        name: _task(each, table(counted, name, "phase"))
        for each in items(thing, "spec", "tasks")
        if (name := text(each, "name"))
    }


def _task(wanted: Any, phases: Any) -> RoleSaid:
    return RoleSaid(
        expected=positive(wanted, "replicas", 1),
        active=positive(phases, "Running"),
        succeeded=positive(phases, "Succeeded"),
        failed=positive(phases, "Failed"),
        pending=positive(phases, "Pending"),
    )

"""KubeRay's RayJob. Its pods never end by themselves and are replaced when they fail: only the
RayJob knows how the job ended. Where the job failed, but the RayJob tries again, it has not ended.
"""

from __future__ import annotations

from typing import Any

from jobs.observing.pods import ROLE_LABEL
from jobs.observing.reading import items, metadata, owner, positive, status, table, text, when
from jobs.observing.said import FOREVER, Engine, RoleSaid, Said, Verdict

__all__ = ["read_rayjob"]

SUSPENDED = ("Suspended", "Suspending")


def read_rayjob(thing: Any) -> Said:
    said = status(thing)
    deployed, ran = text(said, "jobDeploymentStatus"), text(said, "jobStatus")
    running = deployed == "Running" and ran == "RUNNING"
    return Said(
        Engine.RAYJOB,
        text(metadata(thing), "name"),
        owned=bool(owner(thing)),
        heard=bool(deployed or ran),
        verdict=_verdict(deployed, ran),
        reason=text(said, "reason") or ("ValidationFailed" * (deployed == "ValidationFailed")),
        message=text(said, "message"),
        suspended=deployed in SUSPENDED or _asked_to_wait(thing, deployed),
        starting=not running,
        restarting=deployed == "Retrying" or positive(said, "failed") > 0,
        attempt=positive(said, "failed"),
        began=when(metadata(thing).get("creationTimestamp")),
        roles=_roles(thing, running),
    )


def _verdict(deployed: str, ran: str) -> Verdict | None:
    if deployed in ("Failed", "ValidationFailed"):
        return Verdict.FAILED
    if ran == "SUCCEEDED":
        return Verdict.SUCCEEDED
    return Verdict.FAILED if deployed == "Complete" and ran in ("FAILED", "STOPPED") else None


def _asked_to_wait(thing: Any, deployed: str) -> bool:
    return table(thing, "spec").get("suspend") is True and deployed == ""


def _roles(thing: Any, running: bool) -> dict[str, RoleSaid]:
    spec = table(thing, "spec", "rayClusterSpec")
    cluster = table(thing, "status", "rayClusterStatus")
    ready = positive(cluster, "readyWorkerReplicas")
    head = text(table(spec, "headGroupSpec", "template", "metadata", "labels"), ROLE_LABEL)
    roles = {head or "head": _role(1, int(running or ready > 0))} if spec else {}
    for group in items(spec, "workerGroupSpecs"):
        wanted = positive(group, "replicas", 1)
        roles[text(group, "groupName") or "worker"] = _role(wanted, min(wanted, ready))
        ready = max(0, ready - wanted)
    return roles


def _role(wanted: int, active: int) -> RoleSaid:
    return RoleSaid(wanted, active, pending=wanted - active, retries=FOREVER, forgives=True)

"""What a job's Kubernetes objects say about it. Pure: objects in, one state out.

Conditions: https://jobset.sigs.k8s.io/docs/concepts/ (Completed, Failed, Suspended,
StartupPolicyInProgress). Failed beats succeeded; what is not known is never running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from jobs.entrypoint import OUTPUTS_LOST

__all__ = ["JobPhase", "JobState", "observe"]

RESTART_ATTEMPT = "jobset.sigs.k8s.io/restart-attempt"
BAD_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})

Object = dict[str, Any]


class JobPhase(str, Enum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class JobState:
    """`reason` is one of: completed, exit_code, outputs_lost, timed_out, bad_image, jobset_failed,
    suspended, restarting, starting, running, no_jobset, no_status, not_observed."""

    phase: JobPhase
    reason: str
    message: str = ""
    exit_code: int | None = None
    """Of the first pod that failed; 0 when the job succeeded; None while it is not known."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self.phase in (JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.LOST)


def observe(objects: Sequence[Object] | None) -> JobState:
    """The state of one job from its JobSet, Jobs and Pods, in any order.

    None = could not look (unknown). A list without the JobSet = it is gone (lost).
    """
    if objects is None:
        return JobState(JobPhase.UNKNOWN, "not_observed", "the cluster could not be asked")
    jobset = next((each for each in objects if each.get("kind") == "JobSet"), None)
    if jobset is None:
        return JobState(JobPhase.LOST, "no_jobset", "the JobSet does not exist")
    jobs = [each for each in objects if each.get("kind") == "Job"]
    pods = [each for each in objects if each.get("kind") == "Pod" and _current(each, jobset)]
    return _failed(jobset, jobs, pods) or _succeeded(jobset) or _unfinished(jobset, pods)


def _failed(jobset: Object, jobs: list[Object], pods: list[Object]) -> JobState | None:
    image = _bad_image(pods)
    condition = _condition(jobset, "Failed")
    over = condition is not None or _status(jobset).get("terminalState") == "Failed"
    succeeded = _succeeded(jobset) is not None
    exits = _bad_exits(pods)
    if not over and not (succeeded and exits):
        return image
    return _lost_outputs(exits) or _timed_out(condition, jobs) or image or _why(condition, exits)


def _succeeded(jobset: Object) -> JobState | None:
    if _condition(jobset, "Completed") or _status(jobset).get("terminalState") == "Completed":
        return JobState(JobPhase.SUCCEEDED, "completed", exit_code=0)
    return None


def _unfinished(jobset: Object, pods: list[Object]) -> JobState:
    status = _status(jobset)
    if not status:
        return JobState(JobPhase.UNKNOWN, "no_status", "the JobSet controller has not seen it yet")
    suspended = _condition(jobset, "Suspended")
    if suspended:
        return JobState(JobPhase.PENDING, "suspended", suspended.get("message", ""))
    expected = _expected(jobset)
    ready = _running_pods(pods) if pods else _ready_pods(jobset)
    message = f"{ready} of {expected} pods run"
    if ready >= expected > 0 and not _condition(jobset, "StartupPolicyInProgress"):
        return JobState(JobPhase.RUNNING, "running", message)
    reason = "restarting" if status.get("restarts") else "starting"
    return JobState(JobPhase.PENDING, reason, message)


def _why(condition: Object | None, exits: list[tuple[str, int, str]]) -> JobState:
    said = (condition or {}).get("message", "")
    if not exits:
        return JobState(JobPhase.FAILED, "jobset_failed", said or "the JobSet failed")
    pod, code, message = exits[0]
    text = f"{pod}: {message or f'exit code {code}'}"
    return JobState(JobPhase.FAILED, "exit_code", text, code)


def _lost_outputs(exits: list[tuple[str, int, str]]) -> JobState | None:
    """Only when nothing else went wrong: a failed run beats the loss of its outputs."""
    lost = [_is_lost(code, message) for _, code, message in exits]
    if not lost or not all(lost):
        return None
    pod, code, message = exits[0]
    return JobState(JobPhase.FAILED, "outputs_lost", f"{pod}: {message}", code)


def _timed_out(condition: Object | None, jobs: list[Object]) -> JobState | None:
    found = [condition, *(_condition(job, "Failed") for job in jobs)]
    for each in found:
        if each and "DeadlineExceeded" in (each.get("reason", "") + each.get("message", "")):
            return JobState(JobPhase.FAILED, "timed_out", each.get("message", ""))
    return None


def _bad_image(pods: list[Object]) -> JobState | None:
    """No wait cures a wrong image, and waiting GPUs cost money: failed at the first sight."""
    for pod in sorted(pods, key=_name):
        for container in _containers(pod):
            waiting = container.get("state", {}).get("waiting") or {}
            if waiting.get("reason") in BAD_IMAGE:
                text = f"{_name(pod)}: {waiting['reason']}: {container.get('image', '')}"
                said = waiting.get("message", "")
                return JobState(JobPhase.FAILED, "bad_image", f"{text}: {said}" if said else text)
    return None


def _bad_exits(pods: list[Object]) -> list[tuple[str, int, str]]:
    """(pod, exit code, termination message) of what ended badly; the first to end is the cause."""
    ends = [
        (end.get("finishedAt") or "", _name(pod), int(end["exitCode"]), end.get("message") or "")
        for pod in pods
        for container in _containers(pod)
        if (end := container.get("state", {}).get("terminated") or {}).get("exitCode")
    ]
    return [(pod, code, message) for _, pod, code, message in sorted(ends)]


def _is_lost(code: int, message: str) -> bool:
    return code == OUTPUTS_LOST and message.startswith("outputs_lost")


def _expected(jobset: Object) -> int:
    return sum(
        int(each.get("replicas", 1) * each["template"]["spec"].get("parallelism", 1))
        for each in jobset.get("spec", {}).get("replicatedJobs", [])
    )


def _running_pods(pods: list[Object]) -> int:
    return sum(_status(pod).get("phase") in ("Running", "Succeeded") for pod in pods)


def _ready_pods(jobset: Object) -> int:
    """A Job counts as ready when all its pods are, so all its pods count."""
    sizes = {
        each["name"]: each["template"]["spec"].get("parallelism", 1)
        for each in jobset.get("spec", {}).get("replicatedJobs", [])
    }
    return sum(
        int((each.get("ready", 0) + each.get("succeeded", 0)) * sizes.get(each.get("name"), 0))
        for each in _status(jobset).get("replicatedJobsStatus", [])
    )


def _current(pod: Object, jobset: Object) -> bool:
    """Not of an attempt that the JobSet has already given up."""
    attempt = pod.get("metadata", {}).get("labels", {}).get(RESTART_ATTEMPT)
    return attempt is None or int(attempt) >= _status(jobset).get("restarts", 0)


def _condition(thing: Object, kind: str) -> Object | None:
    for each in _status(thing).get("conditions") or []:
        if each.get("type") == kind and each.get("status") == "True":
            found: Object = each
            return found
    return None


def _containers(pod: Object) -> list[Object]:
    status = _status(pod)
    return [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]


def _status(thing: Object) -> Object:
    return thing.get("status") or {}


def _name(thing: Object) -> str:
    return str(thing.get("metadata", {}).get("name", ""))

"""What each controller writes into the status of its kind of job as that job moves on. Pure.

Field and condition names are those of the controllers' Go types: JobSet v1alpha2, batch/v1 Job,
Volcano v1alpha1 Job, Trainer v1alpha1 TrainJob, MPI operator v2beta1 MPIJob, KubeRay v1 RayJob.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["Moment", "Stage", "status_of", "suspended"]

Object = dict[str, Any]


class Stage(str, Enum):
    """How far a job is."""

    SUSPENDED = "suspended"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Moment:
    """One change of a job. `at` is RFC 3339."""

    stage: Stage
    at: str = ""
    timed_out: bool = False
    message: str = ""


def status_of(kind: str, workload: Object, moment: Moment) -> Object:
    """The new status of a workload; `kind` as in `expand.KINDS`."""
    return _WRITERS[kind](workload, moment)


def suspended(kind: str, workload: Object) -> bool:
    """Whether it was made to wait."""
    spec = workload.get("spec") or {}
    place = spec.get("runPolicy") or {} if kind == "MPIJob" else spec
    return bool(place.get("suspend"))


def _jobset(jobset: Object, moment: Moment) -> Object:
    ended = {Stage.SUCCEEDED: "Completed", Stage.FAILED: "Failed"}.get(moment.stage)
    reason = "DeadlineExceeded" if moment.timed_out else "FailedJobs"
    conditions = [_suspension(moment)]
    if ended:
        why = reason if ended == "Failed" else "AllJobsCompleted"
        conditions.append(_condition(ended, "True", why, moment))
    ready = moment.stage is Stage.RUNNING
    counted = [
        {
            "name": each["name"],
            "ready": each.get("replicas", 1) if ready else 0,
            "succeeded": each.get("replicas", 1) if ended == "Completed" else 0,
            "failed": 0, "active": 0, "suspended": 0,
        }
        for each in jobset["spec"]["replicatedJobs"]
    ]  # fmt: skip
    return {
        "conditions": conditions,
        "restarts": 0,
        **({"terminalState": ended} if ended else {}),
        **({} if moment.stage is Stage.SUSPENDED else {"replicatedJobsStatus": counted}),
    }


def _job(job: Object, moment: Moment) -> Object:
    size = int(job["spec"].get("completions") or job["spec"].get("parallelism") or 1)
    conditions = [_suspension(moment)]
    if moment.stage is Stage.SUCCEEDED:
        conditions += [_condition(kind, "True", "CompletionsReached", moment)
                       for kind in ("SuccessCriteriaMet", "Complete")]  # fmt: skip
        return {"conditions": conditions, "succeeded": size, "active": 0, "ready": 0}
    if moment.stage is Stage.FAILED:
        reason = "DeadlineExceeded" if moment.timed_out else "BackoffLimitExceeded"
        conditions += [_condition(kind, "True", reason, moment)
                       for kind in ("FailureTarget", "Failed")]  # fmt: skip
        return {"conditions": conditions, "failed": 1, "active": 0, "ready": 0}
    active = 0 if moment.stage is Stage.SUSPENDED else size
    ready = size if moment.stage is Stage.RUNNING else 0
    started = {} if moment.stage is Stage.SUSPENDED else {"startTime": moment.at}
    return {"conditions": conditions, "active": active, "ready": ready, **started}


def _volcano(job: Object, moment: Moment) -> Object:
    phase = {
        Stage.SUSPENDED: "Pending",
        Stage.STARTING: "Pending",
        Stage.RUNNING: "Running",
        Stage.SUCCEEDED: "Completed",
        Stage.FAILED: _volcano_failure(job),
    }[moment.stage]
    word = {"Pending": "Pending", "Running": "Running", "Completed": "Succeeded"}.get(
        phase, "Failed"
    )
    tasks = {
        task["name"]: {"phase": {word: int(task.get("replicas", 1))}}
        for task in job["spec"]["tasks"]
    }
    total = sum(int(task.get("replicas", 1)) for task in job["spec"]["tasks"])
    reason = "DeadlineExceeded" if moment.timed_out else ""
    state = {"phase": phase, "reason": reason, "message": moment.message,
             "lastTransitionTime": moment.at}  # fmt: skip
    return {
        "state": {key: value for key, value in state.items() if value},
        "minAvailable": job["spec"].get("minAvailable", total),
        "taskStatusCount": tasks,
        word.lower(): total,
    }


def _volcano_failure(job: Object) -> str:
    """The phase in which the policy for failed pods ends."""
    owners = [job["spec"], *job["spec"]["tasks"]]
    actions = {
        policy.get("action")
        for owner in owners
        for policy in owner.get("policies") or []
        if "PodFailed" in (policy.get("event"), *(policy.get("events") or []))
    }
    phases = {"TerminateJob": "Terminated", "AbortJob": "Aborted"}
    return next((phases[action] for action in phases if action in actions), "Failed")


def _trainjob(job: Object, moment: Moment) -> Object:
    resumed = "Suspended" if moment.stage is Stage.SUSPENDED else "Resumed"
    conditions = [_suspension(moment, resumed)]
    if moment.stage is Stage.SUCCEEDED:
        conditions.append(_condition("Complete", "True", "JobsCompleted", moment))
    if moment.stage is Stage.FAILED:
        reason = "DeadlineExceeded" if moment.timed_out else "JobsFailed"
        conditions.append(_condition("Failed", "True", reason, moment))
    return {"conditions": conditions}


def _mpijob(job: Object, moment: Moment) -> Object:
    kinds = {Stage.RUNNING: "Running", Stage.SUCCEEDED: "Succeeded", Stage.FAILED: "Failed"}
    conditions = [_condition("Created", "True", "MPIJobCreated", moment), _suspension(moment)]
    if moment.stage in kinds:
        word = kinds[moment.stage]
        reason = "DeadlineExceeded" if moment.timed_out else f"MPIJob{word}"
        conditions.append(_condition(word, "True", reason, moment))
    field = {Stage.RUNNING: "active", Stage.SUCCEEDED: "succeeded", Stage.FAILED: "failed"}
    replicas = job["spec"]["mpiReplicaSpecs"]
    word = field.get(moment.stage, "")
    counted = {"Launcher": {word: 1}} if word else {}
    if moment.stage is Stage.RUNNING and "Worker" in replicas:
        counted["Worker"] = {word: int(replicas["Worker"].get("replicas", 1))}
    started = {} if moment.stage is Stage.SUSPENDED else {"startTime": moment.at}
    return {"conditions": conditions, "replicaStatuses": counted, **started}


def _rayjob(job: Object, moment: Moment) -> Object:
    deployed, ran = {
        Stage.SUSPENDED: ("Suspended", ""),
        Stage.STARTING: ("Initializing", ""),
        Stage.RUNNING: ("Running", "RUNNING"),
        Stage.SUCCEEDED: ("Complete", "SUCCEEDED"),
        Stage.FAILED: ("Failed", "STOPPED" if moment.timed_out else "FAILED"),
    }[moment.stage]
    groups = job["spec"]["rayClusterSpec"].get("workerGroupSpecs") or []
    workers = sum(int(group.get("replicas", 1)) for group in groups)
    status: Object = {"jobDeploymentStatus": deployed, "rayClusterStatus": {}}
    if ran:
        status["jobStatus"] = ran
    if moment.stage is Stage.RUNNING:
        status["rayClusterStatus"] = {"readyWorkerReplicas": workers, "state": "ready"}
    if moment.stage is Stage.FAILED:
        status["reason"] = "DeadlineExceeded" if moment.timed_out else "AppFailed"
        status["message"] = moment.message
    return status


def _suspension(moment: Moment, reason: str = "") -> Object:
    value = "True" if moment.stage is Stage.SUSPENDED else "False"
    return _condition("Suspended", value, reason or "Suspended", moment, message="")


def _condition(
    kind: str, value: str, reason: str, moment: Moment, message: str | None = None
) -> Object:
    found = {"type": kind, "status": value, "reason": reason, "lastTransitionTime": moment.at,
             "message": moment.message if message is None else message}  # fmt: skip
    return {key: text for key, text in found.items() if text}


_WRITERS: dict[str, Callable[[Object, Moment], Object]] = {
    "JobSet": _jobset,
    "Job": _job,
    "VolcanoJob": _volcano,
    "TrainJob": _trainjob,
    "MPIJob": _mpijob,
    "RayJob": _rayjob,
}

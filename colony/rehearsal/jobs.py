"""Moves the JobSets of a world: admitted, pulled, running, ended; as their controllers would.

A job takes its modelled time, or is really run (`execute.py`) while that time passes. Times are
the world's; what a status looks like is https://jobset.sigs.k8s.io/docs/concepts/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colony.rehearsal.background import Background
    from colony.rehearsal.world import World

__all__ = ["ADMISSION", "EXPECTED", "PULL", "SimulatedJob"]

ADMISSION = 5.0
"""Seconds that Kueue needs to admit a gang for which there is room."""
PULL = 120.0
"""Seconds to pull a CUDA PyTorch image (8 GB unpacked) on a new node; of the order that
https://skypilot.co users report for first starts."""
EXPECTED = "colony.dev/expected-run-seconds"

Object = dict[str, Any]


@dataclass
class SimulatedJob:
    """One JobSet on one cluster. `tick` brings it to where it is at `now`."""

    world: World
    cluster: str
    name: str
    namespace: str
    born: float
    start: Callable[[Object], Background] | None = None
    """Really runs the job; None = modelled."""
    stage: str = "new"
    execution: Background | None = field(default=None, repr=False)

    def next_change(self) -> float:
        """World time at which `tick` will have something to do."""
        return self._times().get(self.stage, float("inf"))

    def tick(self, now: float) -> None:
        steps = {
            "new": self._created,
            "created": self._admitted,
            "admitted": self._running,
            "running": self._ended,
        }
        while self.stage in steps and self.next_change() <= now:
            steps[self.stage]()

    def stop(self) -> None:
        """Whatever really runs is ended, and waited for."""
        if self.execution is not None:
            self.execution.stop()

    @property
    def busy(self) -> bool:
        """Something really runs, and has not ended."""
        return self.execution is not None and not self.execution.done

    def _times(self) -> dict[str, float]:
        admitted = self.born + (ADMISSION if self._queued() else 0.0)
        running = admitted + PULL
        return {
            "new": self.born,
            "created": admitted,
            "admitted": running,
            "running": running + self._expected(),
        }

    def _created(self) -> None:
        if self._queued():
            self._status(conditions=[_condition("Suspended", "True")])
        self.stage = "created"

    def _admitted(self) -> None:
        self._status(conditions=[_condition("Suspended", "False")], ready=False)
        self.stage = "admitted"

    def _running(self) -> None:
        self._status(ready=True)
        if self.start is not None and (jobset := self._jobset()):
            self.execution = self.start(jobset)
        self.stage = "running"

    def _ended(self) -> None:
        self.stage = "ended"
        result = self.execution.result() if self.execution else None
        if result is None or result.outcome == "succeeded":
            self._status(conditions=[_condition("Completed", "True")], terminalState="Completed")
            return
        if result.first_failed:
            pod = _failed_pod(self, result.first_failed, result.exit_codes, result.message)
            self.world.put_object(self.cluster, pod)
        reason = "DeadlineExceeded" if result.outcome == "timed_out" else "FailedJobs"
        self._status(conditions=[_condition("Failed", "True", reason)], terminalState="Failed")

    def _status(self, ready: bool | None = None, **fields: Any) -> None:
        jobset = self._jobset()
        if jobset is None:
            return
        status = {**jobset.get("status", {}), **fields}
        if ready is not None:
            status["replicatedJobsStatus"] = [
                {"name": each["name"], "ready": each.get("replicas", 1) if ready else 0}
                for each in jobset["spec"]["replicatedJobs"]
            ]
        self.world.patch_status(self.cluster, "JobSet", self.namespace, self.name, status)

    def _jobset(self) -> Object | None:
        found = self.world.objects(self.cluster, "JobSet", self.namespace)
        return next((each for each in found if each["metadata"]["name"] == self.name), None)

    def _queued(self) -> bool:
        jobset = self._jobset()
        return bool(jobset and jobset["spec"].get("suspend"))

    def _expected(self) -> float:
        jobset = self._jobset()
        annotations = (jobset or {}).get("metadata", {}).get("annotations") or {}
        return float(annotations.get(EXPECTED, 3600))


def _condition(kind: str, status: str, reason: str = "") -> Object:
    return {"type": kind, "status": status, "reason": reason or kind}


def _failed_pod(job: SimulatedJob, pod: str, codes: dict[str, int], message: str) -> Object:
    terminated = {"exitCode": codes.get(pod, 1), "message": message}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{job.name}-{pod}",
            "namespace": job.namespace,
            "labels": {"jobset.sigs.k8s.io/jobset-name": job.name},
        },
        "status": {
            "phase": "Failed",
            "containerStatuses": [{"name": "main", "state": {"terminated": terminated}}],
        },
    }

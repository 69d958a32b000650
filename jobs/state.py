"""What a job's Kubernetes objects say about it. Pure and total: objects in, one state out.

What is believed, in this order:

 1. A state that was Failed stays so.
 2. No workload: lost.
 3. A pod that waits for an image or a configuration that cannot be: failed at once.
 4. The controller says that it failed (JobSet, TrainJob and MPIJob conditions, Volcano's state,
    RayJob's status): failed; the pods say why.
 5. The controller has said nothing yet: unknown, whatever runs.
 6. Suspended or sent back into a queue: pending.
 7. The job's policy over the roles says Failed, and the controller has no restart left: failed,
    even when the controller says Completed.
 8. The controller says Completed, or the job's policy says Succeeded: succeeded. A RayJob's pods
    never end by themselves: only the RayJob counts.
 9. The bound on the start has passed: failed.
10. All roles run: running. Otherwise pending: starting, restarting, or what cannot be placed.

The phases of roles and the job's policy over them are in `jobs/observing/rules.py`. Without a job
there is no policy: the controller's word decides, and pods only explain it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.observing import states
from jobs.observing.states import JobPhase, JobState, RoleState
from jobs.spec import Job
from jobs.tracking import Tracker

__all__ = ["JobPhase", "JobState", "RoleState", "observe"]


def observe(
    objects: Sequence[Any] | None,
    job: Job | None = None,
    now: float | None = None,
    last: JobState | None = None,
) -> JobState:
    """The state of one job from its workload, pods and what stands around them, in any order.

    None = could not look (unknown). A list without the workload = it is gone (lost). With `now`
    (seconds since 1970) the bound on the start is looked at; `last` is the state before. Raises
    InputError for a job that cannot be completed.
    """
    if objects is None:
        if last is not None and last.phase is JobPhase.FAILED:
            return last
        text = "the cluster could not be asked"
        return JobState(JobPhase.UNKNOWN, states.NOT_OBSERVED, text)
    tracker = Tracker(job)
    for thing in objects:
        tracker.apply("ADDED", thing)
    return tracker.state(now, last)

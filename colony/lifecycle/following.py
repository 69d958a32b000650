"""One job under watch."""

from __future__ import annotations

from dataclasses import dataclass

from colony.lifecycle.ground import ClusterAccess
from jobs.spec import Job
from jobs.state import JobPhase, JobState

__all__ = ["Following"]


@dataclass
class Following:
    """Times are seconds of the run."""

    job: Job
    access: ClusterAccess
    namespace: str
    since: float
    """When this start of it began."""
    started: float | None = None
    """When it ran, of this start."""
    heard: float = 0.0
    phase: JobPhase = JobPhase.UNKNOWN
    last: JobState | None = None
    ran: float = 0.0
    """Seconds of all starts before."""
    waits_for_machines: bool = False
    """They were taken, and others are not there yet."""

    def worked(self, now: float) -> float:
        """Seconds of this start."""
        return 0.0 if self.started is None else max(0.0, now - self.started)

    def begin_again(self, now: float) -> None:
        self.ran += self.worked(now)
        self.since = self.heard = now
        self.started = self.last = None
        self.phase = JobPhase.UNKNOWN

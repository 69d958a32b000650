"""What the controller of a workload says of it, in the same words for every engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

__all__ = ["FOREVER", "Engine", "RoleSaid", "Said", "Verdict"]

FOREVER = 1 << 30
"""Failed pods that a controller replaces without an end."""


class Engine(str, Enum):
    """Whose object is the workload; the values of `jobs.spec.Backend`, the owners first."""

    TRAINJOB = "trainjob"
    RAYJOB = "rayjob"
    MPIJOB = "mpijob"
    VOLCANO = "volcano"
    JOBSET = "jobset"
    JOB = "job"


class Verdict(Enum):
    """The controller's last word."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class RoleSaid:
    """Pods of a role: as the workload asks for them, and as its controller counts them."""

    expected: int = 0
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    pending: int = 0
    retries: int = 0
    """Failed pods that the controller replaces."""
    padded: bool = False
    """Pods are replaced without an end, so that this role's failure does not end the rest."""
    forgives: bool = False
    """Evicted pods are replaced, and not counted as failed."""
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Said:
    """One workload object."""

    engine: Engine
    name: str
    owned: bool = False
    """Made by the controller of another workload."""
    heard: bool = False
    """Its controller has written a status."""
    verdict: Verdict | None = None
    reason: str = ""
    """The controller's, of the verdict; in Kubernetes' words."""
    message: str = ""
    evicted: bool = False
    """It ended because its pods were taken away."""
    suspended: bool = False
    starting: bool = False
    """Its controller still waits for some role."""
    restarting: bool = False
    attempt: int = 0
    """Pods of an earlier attempt say nothing any more."""
    restarts_left: int = 0
    began: float | None = None
    """Seconds since 1970: created, or released from a queue."""
    roles: dict[str, RoleSaid] = field(default_factory=dict)

    @property
    def timed_out(self) -> bool:
        """The bound on the run time ended it."""
        failed = self.verdict is Verdict.FAILED
        return failed and "DeadlineExceeded" in (self.reason + self.message) and not self.too_late

    @property
    def too_late(self) -> bool:
        """The bound on the start ended it."""
        return self.verdict is Verdict.FAILED and "PreRunningDeadlineExceeded" in self.reason

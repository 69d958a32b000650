"""What is deduced: phases, reasons, the state of a job and of its roles. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from jobs.policy import RolePhase

__all__ = [
    "COMPLETED", "CONFIG_ISSUE", "IMAGE_PULL", "NOT_OBSERVED", "NO_STATUS", "NO_WORKLOAD",
    "OUTPUTS_LOST", "POD_FAILED", "POD_MISSING", "POSSIBLE_NODE_DOWN", "PREEMPTED", "RESTARTING",
    "RUNNING", "STARTING", "STARTUP_TIMEOUT", "SUSPENDED", "TIMED_OUT", "UNSCHEDULABLE",
    "WORKLOAD_FAILED", "JobPhase", "JobState", "RoleState",
]  # fmt: skip

# How far it is, and what became of it.
NOT_OBSERVED = "not_observed"
NO_WORKLOAD = "no_workload"
NO_STATUS = "no_status"
SUSPENDED = "suspended"
STARTING = "starting"
RESTARTING = "restarting"
RUNNING = "running"
COMPLETED = "completed"
TIMED_OUT = "timed_out"
STARTUP_TIMEOUT = "startup_timeout"
OUTPUTS_LOST = "outputs_lost"
# What went wrong in the cluster, in the words of those who know it.
POD_FAILED = "PodFailed"
POD_MISSING = "PodMissing"
POSSIBLE_NODE_DOWN = "PossibleNodeDown"
PREEMPTED = "Preempted"
IMAGE_PULL = "ImagePull"
UNSCHEDULABLE = "Unschedulable"
CONFIG_ISSUE = "ConfigIssue"
WORKLOAD_FAILED = "WorkloadFailed"


class JobPhase(str, Enum):
    """How far a job is. A job that starts is pending, with the reason `starting`."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RoleState:
    """One role, and its pods by what they do. `reason` is empty when there is nothing to say."""

    phase: RolePhase
    reason: str = ""
    message: str = ""
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    pending: int = 0
    unknown: int = 0
    """Their node does not answer."""
    terminating: int = 0
    """Being deleted: counted as nothing else."""


@dataclass(frozen=True)
class JobState:
    """What is known of one job. `reason` is one of the words above."""

    phase: JobPhase
    reason: str
    message: str = ""
    exit_code: int | None = None
    """Of the first pod that failed; 0 when the job succeeded; None while it is not known."""
    roles: dict[str, RoleState] = field(default_factory=dict)
    pod: str = ""
    """The pod that the reason is about."""
    node: str = ""
    """The node that the reason is about."""
    attempt: int = 0
    """How often its controller has started it again."""

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self.phase in (JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.LOST)

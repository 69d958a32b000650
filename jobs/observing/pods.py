"""A pod -> the little that is kept of it: what it counts as, and its trouble if it has any.

Phases, container states and conditions: https://kubernetes.io/docs/concepts/workloads/pods/.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from jobs.observing.placing import why_not_placed
from jobs.observing.reading import condition, items, labels, metadata, number, status, table, text

__all__ = ["CONFIG_EXIT", "ROLE_LABEL", "Bucket", "PodFacts", "Trouble", "What", "read_pod"]

ROLE_LABEL = "colony.dev/role"
ROLE_LABELS = (
    ROLE_LABEL, "jobset.sigs.k8s.io/replicatedjob-name", "volcano.sh/task-spec",
    "training.kubeflow.org/job-role", "training.kubeflow.org/replica-type", "ray.io/node-type",
)  # fmt: skip
INDEX_LABELS = (
    "batch.kubernetes.io/job-completion-index", "volcano.sh/task-index",
    "training.kubeflow.org/replica-index", "ray.io/worker-group-replica-index",
    "colony.dev/pod-index",
)  # fmt: skip
ATTEMPT_LABEL = "jobset.sigs.k8s.io/restart-attempt"

CONFIG_EXIT = 78
"""EX_CONFIG of sysexits.h: our entry point, on a job that contradicts its surroundings."""
WAIT_EXIT = 124
"""As `timeout` ends: a dependency did not come up."""
SIGNALS = 128
BAD_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"})
BAD_CONFIG = frozenset({"InvalidImageName", "CreateContainerConfigError"})
EVICTED = frozenset(
    {"Evicted", "Preempting", "Preempted", "Shutdown", "NodeShutdown", "Terminated"}
)
GONE_NODE = frozenset({"NodeLost", "DeletionByPodGC"})


class Bucket(IntEnum):
    """What a pod counts as. The three FAILED differ in who may start them again."""

    PENDING = 0
    ACTIVE = 1
    SUCCEEDED = 2
    FAILED = 3
    FAILED_BY_SIGNAL = 4
    """128 or more."""
    FAILED_BY_DISRUPTION = 5
    """Evicted, preempted, or its node went away."""
    UNKNOWN = 6
    TERMINATING = 7


class What(IntEnum):
    """Kinds of trouble."""

    EXIT = 0
    CONFIG = 1
    IMAGE = 2
    PREEMPTED = 3
    NODE = 4
    DEADLINE = 5
    WAITED = 6
    UNPLACED = 7


@dataclass(frozen=True)
class Trouble:
    """`at` sorts by time; `code` None = no container ended badly."""

    what: What
    at: str
    text: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class PodFacts:
    """`role` is empty when no label says it; `attempt` None = not of a numbered attempt."""

    name: str
    role: str
    attempt: int | None
    bucket: Bucket
    node: str
    index: int | None
    trouble: Trouble | None


def read_pod(pod: Any) -> PodFacts:
    """Total: a pod that says nothing is pending."""
    marks, head = labels(pod), metadata(pod)
    attempt, index = number(marks, ATTEMPT_LABEL, -1), _index(marks)
    trouble = _trouble(pod)
    return PodFacts(
        name=text(head, "name"),
        role=next((text(marks, each) for each in ROLE_LABELS if text(marks, each)), ""),
        attempt=attempt if attempt >= 0 else None,
        bucket=_bucket(pod, trouble),
        node=text(table(pod, "spec"), "nodeName"),
        index=index if index >= 0 else None,
        trouble=trouble,
    )


def _bucket(pod: Any, trouble: Trouble | None) -> Bucket:
    if metadata(pod).get("deletionTimestamp"):
        return Bucket.TERMINATING
    phase = text(status(pod), "phase")
    if phase == "Failed":
        return _failed(trouble)
    if phase == "Running":
        return Bucket.ACTIVE
    if phase == "Succeeded":
        return Bucket.SUCCEEDED
    return Bucket.UNKNOWN if phase == "Unknown" else Bucket.PENDING


def _failed(trouble: Trouble | None) -> Bucket:
    if trouble is None:
        return Bucket.FAILED
    if trouble.what in (What.PREEMPTED, What.NODE):
        return Bucket.FAILED_BY_DISRUPTION
    return Bucket.FAILED_BY_SIGNAL if (trouble.code or 0) >= SIGNALS else Bucket.FAILED


def _trouble(pod: Any) -> Trouble | None:
    """The cause beats what follows from it: an evicted pod's container was killed."""
    said = status(pod)
    if text(said, "phase") == "Succeeded":
        return None
    return _disrupted(pod, said) or _ended(said) or _waiting(said) or _unplaced(pod, said)


def _disrupted(pod: Any, said: dict[str, Any]) -> Trouble | None:
    found = condition(pod, "DisruptionTarget")
    why = text(found, "reason") or text(said, "reason")
    if not found and why not in EVICTED | GONE_NODE | {"DeadlineExceeded"}:
        return None
    at = text(found, "lastTransitionTime") or next((end[0] for end in _exits(said)), "")
    what = What.NODE if why in GONE_NODE else What.PREEMPTED
    if why == "DeadlineExceeded":
        what = What.DEADLINE
    words = text(found, "message") or text(said, "message")
    code = next((end[1] for end in _exits(said)), None)
    return Trouble(what, at, ": ".join(filter(None, (why, words))), code)


def _ended(said: dict[str, Any]) -> Trouble | None:
    ends = sorted(_exits(said))
    if ends:
        at, code, words, waiter = ends[0]
        what = What.CONFIG if code == CONFIG_EXIT else What.EXIT
        return Trouble(What.WAITED if waiter and code == WAIT_EXIT else what, at, words, code)
    if text(said, "phase") != "Failed":
        return None
    words = ": ".join(filter(None, (text(said, "reason"), text(said, "message"))))
    return Trouble(What.EXIT, "", words or "failed without an exit code")


def _waiting(said: dict[str, Any]) -> Trouble | None:
    """No wait cures a wrong image or configuration, and waiting GPUs cost money."""
    for container, _ in _containers(said):
        waiting = table(container, "state", "waiting")
        why = text(waiting, "reason")
        if why in BAD_IMAGE or why in BAD_CONFIG:
            words = filter(None, (why, text(container, "image"), text(waiting, "message")))
            what = What.IMAGE if why in BAD_IMAGE else What.CONFIG
            return Trouble(what, "", ": ".join(words))
    return None


def _unplaced(pod: Any, said: dict[str, Any]) -> Trouble | None:
    if text(said, "phase") not in ("Pending", ""):
        return None
    found = condition(pod, "PodScheduled", "False")
    if not found or found.get("reason") != "Unschedulable":
        return None
    words = why_not_placed(text(found, "message"), pod.get("spec"))
    return Trouble(What.UNPLACED, text(found, "lastTransitionTime"), words)


def _exits(said: dict[str, Any]) -> Iterator[tuple[str, int, str, bool]]:
    """(finished at, exit code, last words, of an init container) of what ended badly."""
    for container, before in _containers(said):
        end = table(container, "state", "terminated")
        code = number(end, "exitCode")
        if code:
            why = text(end, "reason")
            words = text(end, "message") or ("" if why == "Error" else why)
            yield text(end, "finishedAt"), code, words, before


def _containers(said: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in items(said, kind):
            yield container, kind == "initContainerStatuses"


def _index(marks: dict[str, Any]) -> int:
    return next((number(marks, each) for each in INDEX_LABELS if each in marks), -1)

"""Why a job, or a role of it, failed: the first thing that went wrong, in words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from jobs.entrypoint import OUTPUTS_LOST as OUTPUTS_LOST_EXIT
from jobs.observing import states
from jobs.observing.pods import Bucket, PodFacts, Trouble, What
from jobs.observing.view import RoleView, View

__all__ = ["Cause", "incurable", "missing", "node_down", "unplaced", "why_failed", "why_taken"]

Found = tuple[PodFacts, Trouble]

REASONS = {
    What.EXIT: states.POD_FAILED,
    What.CONFIG: states.CONFIG_ISSUE,
    What.IMAGE: states.IMAGE_PULL,
    What.PREEMPTED: states.PREEMPTED,
    What.NODE: states.POSSIBLE_NODE_DOWN,
    What.DEADLINE: states.TIMED_OUT,
    What.WAITED: states.STARTUP_TIMEOUT,
}
AT_ONCE = (What.IMAGE, What.CONFIG)
LISTED = 8
"""Indices that a message names."""


@dataclass(frozen=True)
class Cause:
    """A reason of `states`, and what it is about."""

    reason: str
    message: str
    code: int | None = None
    pod: str = ""
    node: str = ""


def incurable(view: View) -> Cause | None:
    """What no wait and no second attempt can cure: a wrong image or configuration."""
    waiting = [found for found in view.troubles if found[1].what in AT_ONCE and _waits(found)]
    if waiting:
        return _cause(waiting[0])
    first = next(iter(_failures(view)), None)
    if first and first[1].what is What.CONFIG and first[0].bucket is Bucket.FAILED:
        return _cause(first)
    return None


def why_failed(view: View, role: RoleView | None = None) -> Cause | None:
    """Of the job, or of one role. None = nothing that was observed explains it."""
    found = _failures(view, role)
    if found and all(_lost(trouble) for _, trouble in found):
        return _cause(found[0], states.OUTPUTS_LOST)
    late = next((each for each in found if each[1].what is What.DEADLINE), None)
    if view.timed_out or late:
        return (
            Cause(states.TIMED_OUT, view.timed_out) if view.timed_out else _cause(late or found[0])
        )
    stuck = next((each for each in found if each[1].what in AT_ONCE and _waits(each)), None)
    if stuck or found:
        return _cause(stuck or found[0])
    return None


def why_taken(view: View) -> Cause | None:
    """The pods were taken away by a scheduler or a queue, and may be gone altogether."""
    if view.queued and view.queued.evicted:
        return Cause(states.PREEMPTED, view.queued.evicted)
    taken = sorted((each.at, each.name, each.text) for each in view.told if each.taken)
    if taken:
        return Cause(states.PREEMPTED, f"{taken[0][1]}: {taken[0][2]}", pod=taken[0][1])
    if view.said and view.said.evicted:
        return Cause(states.PREEMPTED, view.said.message or "its pods were evicted")
    return None


def missing(view: View, role: RoleView) -> Cause:
    """Pods that ran and are not there any more: how many, and which."""
    lacking = role.rule.replicas - role.counts.total
    seen = [pod for pod in view.tally.current(view.attempt) if view.role_of(pod) == role.name]
    going = {pod.index for pod in seen if pod.bucket is Bucket.TERMINATING}
    there = {pod.index for pod in seen} - going
    gone = set(range(role.rule.replicas)) - there - going
    known = not seen or any(pod.index is not None for pod in seen)
    which = [_which(gone, "gone"), _which(going, "being deleted")] if known else []
    verb = "is" if lacking == 1 else "are"
    text = f"{role.name}: {lacking} of {_pods(role.rule.replicas)} that ran {verb} missing"
    return Cause(states.POD_MISSING, "; ".join(filter(None, [text, *which])))


def node_down(view: View, role: RoleView | None = None) -> Cause | None:
    """A node under a pod of the job does not answer."""
    found = _of(view, role, (What.NODE,))
    return _cause(found[0]) if found else None


def unplaced(view: View, role: RoleView | None = None) -> Cause | None:
    """What is missing for the pods that no scheduler could place."""
    found = _of(view, role, (What.UNPLACED,))
    if found:
        pod, trouble = found[0]
        text = f"{_pods(len(found))} cannot be placed: {pod.name} {trouble.text}"
        return Cause(states.UNSCHEDULABLE, text, pod=pod.name)
    told = sorted((each.at, each.name, each.text) for each in view.told if not each.taken)
    if told and role is None:
        text = f"{told[-1][1]} cannot be placed: {told[-1][2]}"
        return Cause(states.UNSCHEDULABLE, text, pod=told[-1][1])
    if view.group and view.group.waits_for and role is None:
        return Cause(states.UNSCHEDULABLE, view.group.waits_for)
    return None


def _failures(view: View, role: RoleView | None = None) -> list[Found]:
    return _of(view, role, tuple(REASONS))


def _of(view: View, role: RoleView | None, kinds: tuple[What, ...]) -> list[Found]:
    return [
        found
        for found in view.troubles
        if found[1].what in kinds and (role is None or view.role_of(found[0]) == role.name)
    ]


def _cause(found: Found, reason: str = "") -> Cause:
    pod, trouble = found
    where = f"{pod.name} on {pod.node}" if pod.node else pod.name
    return Cause(
        reason or REASONS[trouble.what],
        f"{where}: {_said(trouble)}",
        trouble.code,
        pod.name,
        pod.node,
    )


def _said(trouble: Trouble) -> str:
    code = "" if trouble.code is None else f"exit code {trouble.code}"
    if not code or code in trouble.text:
        return trouble.text
    return f"{trouble.text} ({code})" if trouble.text else code


def _lost(trouble: Trouble) -> bool:
    """Only when nothing else went wrong: a failed run beats the loss of its outputs."""
    return trouble.code == OUTPUTS_LOST_EXIT and trouble.text.startswith("outputs_lost")


def _waits(found: Found) -> bool:
    return found[1].code is None


def _which(indices: Collection[int | None], what: str) -> str:
    known = sorted(each for each in indices if each is not None)
    if not known:
        return ""
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"{what}: {', '.join(map(str, known[:LISTED]))}{more}"


def _pods(count: int) -> str:
    return f"{count} pod{'s' if count != 1 else ''}"

"""What the ends of pods mean for a job: which start again, and when it has succeeded or failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from colony.rehearsal.expand import Plan, PlannedPod

__all__ = ["Answer", "Verdict"]


class Answer(str, Enum):
    """What happens to a pod that ended."""

    DONE = "done"
    AGAIN = "again"
    """In the same place: only its main container."""
    REPLACED = "replaced"
    """By a new pod of the same name."""


@dataclass
class Verdict:
    """One attempt at a job. Failed beats succeeded; a role fails with its first pod unless the
    plan says otherwise."""

    plan: Plan
    first_failed: str | None = None
    _succeeded: dict[str, set[int]] = field(default_factory=dict)
    _failed: dict[str, set[int]] = field(default_factory=dict)
    _retried: Counter[str] = field(default_factory=Counter)

    def ended(self, pod: PlannedPod, code: int) -> Answer:
        """Takes note of the end of a pod."""
        policy = pod.spec.get("restartPolicy", "Always")
        if code == 0 and policy != "Always":
            self._succeeded.setdefault(pod.role, set()).add(pod.index)
            return Answer.DONE
        if code == 0 or self._may_retry(pod, code, policy):
            return Answer.REPLACED if policy == "Never" else Answer.AGAIN
        self._failed.setdefault(pod.role, set()).add(pod.index)
        self.first_failed = self.first_failed or pod.key
        return Answer.DONE

    def has(self, role: str) -> bool:
        """Whether every pod of a role has succeeded."""
        return self._all(self._succeeded, role)

    @property
    def failed(self) -> bool:
        return any(all(map(self._role_failed, clause)) for clause in self.plan.failure)

    @property
    def succeeded(self) -> bool:
        return any(all(map(self._role_succeeded, clause)) for clause in self.plan.success)

    def _role_failed(self, role: str) -> bool:
        everyone = role in self.plan.fails_together
        return self._all(self._failed, role) if everyone else bool(self._failed.get(role))

    def _role_succeeded(self, role: str) -> bool:
        anyone = role in self.plan.succeeds_alone
        return bool(self._succeeded.get(role)) if anyone else self.has(role)

    def _all(self, ended: dict[str, set[int]], role: str) -> bool:
        return {pod.index for pod in self.plan.pods if pod.role == role} <= ended.get(role, set())

    def _may_retry(self, pod: PlannedPod, code: int, policy: str) -> bool:
        action = next(
            (r.action for r in self.plan.rules.get(pod.role, []) if r.fits(code)), "Count"
        )
        if action in ("Ignore", "FailJob", "FailIndex"):
            return action == "Ignore"
        unlimited = float("inf") if policy in ("OnFailure", "Always") else 0
        counted = pod.key if pod.role in self.plan.each else pod.role
        if self._retried[counted] >= self.plan.retries.get(pod.role, unlimited):
            return False
        self._retried[counted] += 1
        return True

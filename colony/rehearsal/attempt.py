"""One attempt at a job: who starts when, who starts again, and what has been said."""

from __future__ import annotations

import socket
import time

from colony.rehearsal.expand import COMPLETE, Plan, PlannedPod
from colony.rehearsal.gang import TICK, Gang
from colony.rehearsal.pods import LocalPod, Sandbox
from colony.rehearsal.verdict import Answer, Verdict

__all__ = ["Attempt"]

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds before a pod starts again; doubled each time, as a kubelet does in longer steps."""


class Attempt:
    """Moves one attempt; `step` takes about TICK seconds."""

    def __init__(self, plan: Plan, sandbox: Sandbox, gang: Gang) -> None:
        self.verdict = Verdict(plan)
        self._plan, self._sandbox, self._gang = plan, sandbox, gang
        self._pods = {pod.key: pod for pod in plan.pods}
        self._local: dict[str, LocalPod] = {}
        self._waiting = plan.roles()
        self._pauses: dict[str, float] = {}
        self._later: list[tuple[float, LocalPod, int]] = []

    @property
    def over(self) -> bool:
        """Nothing runs, and nothing will."""
        return not self._gang.running and not self._later and not self._startable()

    def step(self) -> None:
        """Start what may start, and take note of what ended."""
        for role in self._startable():
            self._waiting.remove(role)
            for pod in self._plan.pods:
                if pod.role == role:
                    self._start(pod)
        self._start_again()
        for local, code in self._gang.pump(TICK):
            self._ended(self._pods[local.name], code)

    def message(self, name: str) -> str:
        """The termination message of a pod."""
        log = self._local[name].termination_log
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def _start(self, pod: PlannedPod) -> None:
        self._local[pod.key] = self._sandbox.pod(pod)
        self._gang.start(self._local[pod.key])

    def _startable(self) -> list[str]:
        return [
            role for role in self._waiting if all(map(self._met, self._plan.waits.get(role, [])))
        ]

    def _met(self, wait: tuple[str, str]) -> bool:
        role, phase = wait
        if phase == COMPLETE:
            return self.verdict.has(role)
        pods = [pod for pod in self._plan.pods if pod.role == role]
        return self.verdict.has(role) or all(map(self._ready, pods))

    def _ready(self, pod: PlannedPod) -> bool:
        """Its main container runs, and listens where its probe looks."""
        if pod.key not in self._gang.alive():
            return False
        probe = (pod.container.get("readinessProbe") or {}).get("tcpSocket")
        return probe is None or _listens(self._sandbox.address(pod), int(probe["port"]))

    def _ended(self, pod: PlannedPod, code: int) -> None:
        answer = self.verdict.ended(pod, code)
        if answer is Answer.DONE:
            return
        pause = self._pauses.get(pod.key, FIRST_PAUSE)
        self._pauses[pod.key] = min(2 * pause, LONGEST_PAUSE)
        if answer is Answer.REPLACED:
            self._local[pod.key] = self._sandbox.pod(pod)
        local = self._local[pod.key]
        step = 0 if answer is Answer.REPLACED else len(local.steps) - 1
        self._later.append((time.monotonic() + pause, local, step))

    def _start_again(self) -> None:
        now = time.monotonic()
        due = [each for each in self._later if each[0] <= now]
        self._later = [each for each in self._later if each[0] > now]
        for _, local, step in due:
            self._gang.start(local, step)


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False

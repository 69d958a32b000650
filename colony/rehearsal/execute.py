"""Runs a rendered job for real: every pod a local process with its environment and rendezvous.

Its roles start in their order. When it has failed or succeeded, what still runs is ended (SIGTERM,
grace, SIGKILL), as its controller would; it starts again as often as that allows. Nothing outlives
a run: not a daemon that a script started, and not the pods when Colony itself is killed
(`watchdog`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from colony.rehearsal.addresses import Directory, reserved
from colony.rehearsal.attempt import Attempt
from colony.rehearsal.expand import expand, judged
from colony.rehearsal.gang import OnLine, running_gang
from colony.rehearsal.pods import Sandbox
from jobs.entrypoint import OUTPUTS_LOST
from jobs.errors import InputError, NotReady, Problem
from jobs.spec import Job

__all__ = ["MAX_PODS", "ExecOutcome", "ExecResult", "Execution", "execute"]

MAX_PODS = 64
GRACE = 10.0


class ExecOutcome(str, Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class ExecResult:
    """How the job ended. Pods are named `<role>-<index>`; exit codes are 128 + n for signal n."""

    outcome: ExecOutcome
    exit_codes: dict[str, int]
    first_failed: str | None = None
    message: str = ""
    """The first failed pod's own words (its termination message)."""
    attempts: int = 1

    @property
    def outputs_lost(self) -> bool:
        """The training succeeded, and its outputs could not be copied out."""
        code = self.exit_codes.get(self.first_failed or "")
        return code == OUTPUTS_LOST and self.message.startswith("outputs_lost")


def execute(
    manifests: Sequence[dict[str, Any]], folder: Path, logs: Path, **options: Any
) -> ExecResult:
    """`Execution(...).run()`, for callers that never cancel."""
    return Execution(manifests, folder, logs, **options).run()


class Execution:
    """One run of a job. `folder` is scratch space; `logs` gets one `<role>-<index>.log` a pod.

    `archive` is the packed code, `secrets` the job's secret environment, `buckets` where
    `s3://BUCKET/KEY` lands (as `s3/BUCKET/KEY`). `on_line` gets each line as `[worker-0] text`.
    `job` is whose policy decides; absent = the controller's own rules. `append`: to the logs that
    are there. `max_seconds` replaces the job's own bound. Raises InputError for more than `limit`
    pods, NotReady without bash.
    """

    def __init__(
        self,
        manifests: Sequence[dict[str, Any]],
        folder: Path,
        logs: Path,
        *,
        archive: bytes | None = None,
        secrets: Mapping[str, str] | None = None,
        buckets: Path | None = None,
        on_line: OnLine | None = None,
        job: Job | None = None,
        append: bool = False,
        max_seconds: float | None = None,
        grace: float = GRACE,
        limit: int = MAX_PODS,
    ) -> None:
        plan = expand(manifests)
        self._plan = judged(plan, job) if job else plan
        _check_size(len(plan.pods), limit)
        if shutil.which("bash") is None:
            raise NotReady("pods are started by bash, which is not on PATH: install it")
        self._manifests = list(manifests)
        self._folder = folder.resolve()
        self._buckets = buckets.resolve() if buckets else self._folder / "buckets"
        self._archive, self._secrets = archive, secrets or {}
        self._logs = logs.resolve()
        self._on_line = on_line or (lambda line: None)
        self._append = append
        self._seconds = plan.seconds if max_seconds is None else max_seconds
        self._grace = grace
        self._cancels = 0

    def cancel(self) -> None:
        """Stop; a second call skips the grace. Safe from any thread and any signal handler."""
        self._cancels += 1

    def run(self) -> ExecResult:
        """Returns when every process is gone, however it ended."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with reserved(len(self._plan.pods)) as addresses:
            directory = Directory(self._plan, self._manifests, addresses)
            sandbox = Sandbox(
                self._plan, self._manifests, directory, self._folder / "pods", self._buckets,
                self._archive, self._secrets,
            )  # fmt: skip
            result = self._attempt(sandbox, 1)
            while self._again(result):
                result = self._attempt(sandbox, result.attempts + 1)
        return result

    def _again(self, result: ExecResult) -> bool:
        code = result.exit_codes.get(result.first_failed or "", 0)
        failed = result.outcome is ExecOutcome.FAILED and not result.outputs_lost
        final = code in self._plan.final
        return failed and not final and result.attempts <= self._plan.restarts

    def _attempt(self, sandbox: Sandbox, number: int) -> ExecResult:
        mode = "ab" if number > 1 or self._append else "wb"
        sandbox.clear()
        with running_gang(self._logs, mode, self._on_line) as gang:
            attempt = Attempt(self._plan, sandbox, gang)
            outcome = self._watch(attempt)
            gang.stop(self._grace, lambda: self._cancels > 1)
        first = attempt.verdict.first_failed
        message = attempt.message(first) if first else ""
        return ExecResult(outcome, gang.exit_codes, first, message, number)

    def _watch(self, attempt: Attempt) -> ExecOutcome:
        end = time.monotonic() + self._seconds
        while not self._cancels:
            attempt.step()
            if attempt.verdict.failed:
                return ExecOutcome.FAILED
            if attempt.verdict.succeeded:
                return ExecOutcome.SUCCEEDED
            if attempt.over:
                return ExecOutcome.FAILED
            if time.monotonic() >= end:
                return ExecOutcome.TIMED_OUT
        return ExecOutcome.CANCELLED


def _check_size(count: int, limit: int) -> None:
    if count > limit:
        raise InputError(
            Problem(
                "nodes",
                f"{count} pods would really run on this machine; at most {limit} may",
                "rehearse without --exec",
            )
        )

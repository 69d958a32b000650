"""Runs a rendered JobSet for real: every pod a local process with its environment and rendezvous.

The first failure ends the others (SIGTERM, grace, SIGKILL), as the JobSet would; the gang is
started again as often as the JobSet allows. Nothing outlives a run: not a daemon that a script
started, and not the pods when Colony itself is killed (`watchdog`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from colony.rehearsal.gang import TICK, Gang, OnLine, running_gang
from colony.rehearsal.pods import (
    Sandbox,
    deadline_seconds,
    find_jobset,
    max_restarts,
    pod_count,
)
from jobs.entrypoint import OUTPUTS_LOST
from jobs.errors import InputError, NotReady, Problem

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
    `max_seconds` replaces the JobSet's own deadline. Raises InputError for more than `limit` pods,
    NotReady without bash.
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
        max_seconds: float | None = None,
        grace: float = GRACE,
        limit: int = MAX_PODS,
    ) -> None:
        jobset = find_jobset(manifests)
        _check_size(jobset, limit)
        if shutil.which("bash") is None:
            raise NotReady("pods are started by bash, which is not on PATH: install it")
        folder = folder.resolve()
        buckets = buckets.resolve() if buckets else folder / "buckets"
        self._sandbox = Sandbox(manifests, folder / "pods", buckets, archive, secrets or {})
        self._logs = logs.resolve()
        self._on_line = on_line or (lambda line: None)
        self._seconds = deadline_seconds(jobset) if max_seconds is None else max_seconds
        self._restarts = max_restarts(jobset)
        self._grace = grace
        self._cancels = 0

    def cancel(self) -> None:
        """Stop; a second call skips the grace. Safe from any thread and any signal handler."""
        self._cancels += 1

    def run(self) -> ExecResult:
        """Returns when every process is gone, however it ended."""
        self._logs.mkdir(parents=True, exist_ok=True)
        result = self._attempt(1)
        while self._again(result):
            result = self._attempt(result.attempts + 1)
        return result

    def _again(self, result: ExecResult) -> bool:
        failed = result.outcome is ExecOutcome.FAILED and not result.outputs_lost
        return failed and result.attempts <= self._restarts

    def _attempt(self, number: int) -> ExecResult:
        mode = "wb" if number == 1 else "ab"
        with running_gang(self._sandbox.pods(), self._logs, mode, self._on_line) as gang:
            outcome = self._watch(gang)
            first, message = gang.first_failed, gang.message()
            gang.stop(self._grace, lambda: self._cancels > 1)
        return ExecResult(outcome, gang.exit_codes, first, message, number)

    def _watch(self, gang: Gang) -> ExecOutcome:
        end = time.monotonic() + self._seconds
        while not self._cancels:
            gang.pump(TICK)
            if gang.first_failed:
                return ExecOutcome.FAILED
            if not gang.running:
                return ExecOutcome.SUCCEEDED
            if time.monotonic() >= end:
                return ExecOutcome.TIMED_OUT
        return ExecOutcome.CANCELLED


def _check_size(jobset: dict[str, Any], limit: int) -> None:
    count = pod_count(jobset)
    if count > limit:
        raise InputError(
            Problem(
                "nodes",
                f"{count} pods would really run on this machine; at most {limit} may",
                "rehearse without --exec",
            )
        )

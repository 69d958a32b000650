"""What came of an operation: the engine's events and the CLI's last words, made into our terms."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from colony.command import CliFailed
from jobs.errors import Cancelled, NotReady, ProvisioningFailed, StackLocked

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent, StepEventMetadata

__all__ = ["PATIENCE", "Changes", "OnEvent", "Watcher", "explained"]

OnEvent = Callable[["EngineEvent"], object]

PATIENCE = 120.0
"""Seconds of silence after a failure, with nothing under way, until an operation has stalled."""
_MARKUP = re.compile(r"<\{%[^%]*%\}>")
_EPILOGUE = re.compile(r"\w+ (failed|canceled)")  # the engine's last word: `update failed`
_COUNT = re.compile(r"\d+ errors? occurred:")


@dataclass(frozen=True)
class Changes:
    """What an operation did: `{"create": 12, "same": 3}`, and how long it took."""

    counts: dict[str, int]
    seconds: float

    @property
    def any(self) -> bool:
        """True if anything was created, updated, replaced or deleted."""
        return any(count for op, count in self.counts.items() if op not in ("same", "read"))


@dataclass
class Watcher:
    """Takes the engine's events: keeps failures and the summary, passes all on."""

    on_event: OnEvent | None
    failures: dict[str, str] = field(default_factory=dict)
    changes: Changes = field(default_factory=lambda: Changes({}, 0.0))
    error: Exception | None = None
    began: float = field(default_factory=time.monotonic)
    patience: float = PATIENCE
    _heard: float = field(default_factory=time.monotonic)
    _under_way: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, event: EngineEvent) -> None:
        """Called on a thread of the SDK's, which would swallow an error."""
        self._follow(event)
        self._keep(event)
        if not self.on_event or self.error:
            return
        try:
            self.on_event(event)
        except Exception as error:
            self.error = error

    def stalled(self) -> bool:
        """Whether nothing will happen any more. Where a deletion fails that a replacement begins
        with, an engine that goes on past errors never answers the program, which waits for ever
        (`executeChain` of pulumi/pkg, v3.255: what is left of the chain is dropped)."""
        quiet = time.monotonic() - self._heard > self.patience
        return quiet and bool(self.failures) and not self._under_way

    def _follow(self, event: EngineEvent) -> None:
        """What providers work on; a component is under way as long as its program."""
        self._heard = time.monotonic()
        if (begun := event.resource_pre_event) and _is_custom(begun.metadata):
            self._under_way.add(_step(begun.metadata))
        for ended in (event.res_outputs_event, event.res_op_failed_event):
            if ended:
                self._under_way.discard(_step(ended.metadata))

    def _keep(self, event: EngineEvent) -> None:
        if (said := event.diagnostic_event) and said.severity == "error":
            self._failed(said.urn or "", _MARKUP.sub("", said.message).strip())
        if failed := event.res_op_failed_event:
            self.failures.setdefault(failed.metadata.urn, "")
        if summary := event.summary_event:
            counts = {
                str(getattr(op, "value", op)): n for op, n in summary.resource_changes.items()
            }
            self.changes = Changes(counts, round(time.monotonic() - self.began, 3))

    def _failed(self, urn: str, text: str) -> None:
        if not urn and _EPILOGUE.fullmatch(text):
            return
        before = self.failures.get(urn)
        self.failures[urn] = f"{before}\n{text}" if before else text


def _step(metadata: StepEventMetadata) -> tuple[str, str]:
    return metadata.urn, str(metadata.op)


def _is_custom(metadata: StepEventMetadata) -> bool:
    return any(state and state.custom for state in (metadata.new, metadata.old))


def explained(
    failure: CliFailed, operation: str = "", failures: Mapping[str, str] | None = None
) -> Exception:
    """The error to raise: Cancelled, StackLocked, NotReady, ProvisioningFailed, or itself."""
    said = failure.result.stderr + failure.result.stdout
    if failure.stopped == "interrupted":
        return Cancelled(f"{operation or 'the command'} was interrupted")
    if "currently locked by" in said or "Another update is currently in progress" in said:
        return StackLocked(str(failure))
    if "passphrase must be set" in said or "incorrect passphrase" in said:
        return NotReady(
            "the passphrase of this backend is missing or wrong: set PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    if not operation:
        return failure
    named = dict(failures or {})
    return ProvisioningFailed(_headline(operation, failure, named), named)


def _headline(operation: str, failure: CliFailed, failures: Mapping[str, str]) -> str:
    if failure.stopped == "timed out":
        return f"{operation} {failure.stopped}"
    named = {u: text for u, text in failures.items() if u and "::pulumi:pulumi:Stack::" not in u}
    if not named:
        said = next((text for text in failures.values() if text), str(failure))
        return f"{operation} failed: {said.splitlines()[0]}"
    urn, said = next(((urn, text) for urn, text in named.items() if text), ("", "failed"))
    more = f" (and {len(named) - 1} more)" if len(named) > 1 else ""
    return f"{operation} failed: {urn.rsplit('::', 1)[-1]}: {_first_line(said)}{more}"


def _first_line(said: str) -> str:
    """The engine counts what a provider said before it says it."""
    lines = [line.strip(" \t*") for line in said.splitlines() if line.strip(" \t*")]
    return next((line for line in lines if not _COUNT.fullmatch(line)), said)

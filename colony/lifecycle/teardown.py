"""The end of a colony: free the stack, drain, destroy, sweep, until nothing is left.

Idempotent, and needs no more than the backend and the passphrase: the attached run, `colony
down` and the reaper all end a colony here. Killed anywhere, the next call goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from colony.lifecycle.drain import drain
from colony.lifecycle.events import tell_events
from colony.lifecycle.ground import Ground, Tell, Thing, records_of
from colony.lifecycle.locks import take_over
from colony.lifecycle.state import is_empty, live_clusters, pending
from colony.lifecycle.sweep import sweep
from jobs.errors import ColonyError, ProvisioningFailed

__all__ = ["ALL", "Ended", "Safeties", "end_colony"]

TRIES = 3


@dataclass(frozen=True)
class Safeties:
    """What keeps a colony from leaking. Off only in tests that show what each is for."""

    lease: bool = True
    drain: bool = True
    sweep: bool = True

    @classmethod
    def without(cls, names: list[str]) -> Safeties:
        return cls(**dict.fromkeys(names, False))


ALL = Safeties()


@dataclass
class Ended:
    """What the end found and did."""

    left: list[Thing] = field(default_factory=list)
    swept: list[Thing] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    empty: bool = False
    unproven: str = ""
    """Why the inventory could not be asked: then something may be left."""

    @property
    def doubt(self) -> str:
        """Why it is not proven that nothing is left; empty where it is."""
        if self.unproven:
            return f"the inventory could not be asked: {self.unproven}"
        return "" if self.empty else "the state is not empty"

    @property
    def clean(self) -> bool:
        return not self.left and not self.doubt


def end_colony(
    ground: Ground,
    stack: str,
    tell: Tell,
    *,
    since: float = 0.0,
    safeties: Safeties = ALL,
    state: Mapping[str, Any] | None = None,
) -> Ended:
    """Ends a colony, however it was left. Raises RunFailed when another process holds it.

    `state` is given by the run that has just made it; otherwise the backend is asked.
    """
    ended = Ended()
    if state is None:
        if stack not in ground.engine.stacks():
            return _swept_only(ground, stack, tell, safeties, ended)
        take_over(ground.engine, stack, tell)
        state = ground.engine.export(stack, secrets=not ground.simulated)
    clusters = _remember(ground, stack, state)
    _note_pending(state, ended, tell)
    if safeties.drain:
        ended.notes += drain(ground, live_clusters(state), tell)
    for _ in range(TRIES):
        failures = _destroy(ground, stack, state, since, ended, tell)
        _sweep(ground, stack, clusters, safeties, ended, tell)
        state = ground.engine.export(stack)
        ended.empty = is_empty(state)
        if ended.empty:
            ground.engine.remove(stack)
            return ended
    ended.notes += failures
    return ended


def _destroy(
    ground: Ground, stack: str, state: Mapping[str, Any], since: float, ended: Ended, tell: Tell
) -> list[str]:
    """One destroy; a leak may block it, so that the sweep and another one follow.

    Returns what failed, in the providers' words.
    """
    if pending(state):
        ground.engine.clear_pending(stack)
    failures: list[str] = []
    try:
        ground.engine.destroy(stack)
    except ProvisioningFailed as error:
        failures = [f"{urn}: {text}" for urn, text in error.failures.items()] or [str(error)]
    events = ground.settle_destroy(state, since)
    tell_events(tell, events)
    ended.events += events
    return failures


def _swept_only(ground: Ground, stack: str, tell: Tell, safeties: Safeties, ended: Ended) -> Ended:
    """No state: never begun, or ended before. The inventory still has the last word."""
    known = (records_of(ground, stack).read("clusters") or {}).get("names", [])
    _sweep(ground, stack, known, safeties, ended, tell)
    ended.empty = True
    return ended


def _sweep(
    ground: Ground, stack: str, clusters: list[str], safeties: Safeties, ended: Ended, tell: Tell
) -> None:
    """What cannot be asked is not proven gone, and is said so; it does not stop the destroy."""
    try:
        swept = sweep(ground, stack, clusters, tell, delete=safeties.sweep)
    except ColonyError as error:
        ended.unproven = str(error)
        return
    ended.unproven = ""
    ended.swept += swept.deleted
    ended.left = swept.left


def _remember(ground: Ground, stack: str, deployment: Mapping[str, Any]) -> list[str]:
    """Cluster names outlive the state: the sweep needs them after the destroy, and after a kill."""
    records = records_of(ground, stack)
    known = records.read("clusters") or {}
    names = set(known.get("names", []))
    names |= {cluster.name for cluster in live_clusters(deployment) if cluster.ours}
    records.write("clusters", {**known, "names": sorted(names)})
    return sorted(names)


def _note_pending(deployment: Mapping[str, Any], ended: Ended, tell: Tell) -> None:
    for operation, urn in pending(deployment):
        note = f"was interrupted while {operation} {urn.rsplit('::', 1)[-1]}"
        ended.notes.append(note)
        tell(note)

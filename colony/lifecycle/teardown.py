"""The end of a colony: free the stack, drain, destroy, sweep, until nothing is left.

Idempotent, and needs no more than the backend and the passphrase: the attached run, `colony
down` and the reaper all end a colony here. Killed anywhere, the next call goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from colony.lifecycle.definitions import name_definitions, remove_definitions
from colony.lifecycle.drain import drain
from colony.lifecycle.events import tell_events
from colony.lifecycle.ground import Ground, Tell, Thing, deployment_of, records_of
from colony.lifecycle.locks import take_over
from colony.lifecycle.spending import recorded
from colony.lifecycle.state import in_clouds, is_empty, live_clusters, names, pending, resources
from colony.lifecycle.sweep import sweep
from jobs.errors import ColonyError, ProvisioningFailed, RunFailed, StackLocked

__all__ = ["ALL", "Ended", "Safeties", "end_colony", "exported", "listed"]

PAUSES = (10.0, 60.0)
"""Seconds before it is tried again after a try that changed nothing: what blocks, throttles or
lacks credentials may be over then."""
MOST = 20
"""Tries. Each that takes something away is followed by another: what failed once may hold up a
whole level of the graph."""

SHOWN = 5
"""Of the names of what is left in the state."""


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
    still: list[str] = field(default_factory=list)
    """What the state holds, where it is not empty."""
    unproven: str = ""
    """Why the inventory could not be asked: then something may be left."""
    usd_per_hour: float | None = None
    """What it may still cost at most, by the recorded prices, where the inventory is silent."""

    @property
    def doubt(self) -> str:
        """Why it is not proven that nothing is left; empty where it is."""
        price = f" (at most ${self.usd_per_hour:,.2f}/h)" if self.usd_per_hour else ""
        if self.unproven:
            return f"the inventory could not be asked: {self.unproven}{price}"
        if self.empty:
            return ""
        more = [f"and {len(self.still) - SHOWN} more"] if len(self.still) > SHOWN else []
        held = ", ".join([*self.still[:SHOWN], *more])
        return f"the state is not empty: {held}" if held else "the state is not empty"

    @property
    def clean(self) -> bool:
        return not self.left and not self.doubt


def end_colony(
    ground: Ground,
    stack: str,
    tell: Tell,
    *,
    since: float | None = None,
    safeties: Safeties = ALL,
    state: Mapping[str, Any] | None = None,
) -> Ended:
    """Ends a colony, however it was left. Raises RunFailed when another process holds it.

    `state` is given by the run that has just made it; otherwise the backend is asked. Events are
    told in seconds from `since`, which is the lease's beginning where it is not given.
    """
    since = _begun(ground, stack) if since is None else since
    try:
        return _end(ground, stack, tell, since, safeties, state)
    except StackLocked:  # somebody was faster: wait for him, and see what is left to do
        return _after_another(ground, stack, tell, since, safeties)
    except RunFailed:
        if stack in ground.engine.stacks():
            raise
        return _after_another(ground, stack, tell, since, safeties)


def _begun(ground: Ground, stack: str) -> float:
    """A lease that cannot be read keeps nobody from the end."""
    with suppress(ColonyError, ValueError):
        if lease := records_of(ground, stack).lease():
            return float(lease.created)
    return ground.now()


def listed(ground: Ground, stack: str) -> Ended:
    """What there is of a colony that is not to be touched: nothing is deleted."""
    known = set((records_of(ground, stack).read("clusters") or {}).get("names", []))
    with suppress(ColonyError):
        known |= _own_clusters(exported(ground, stack) or {})
    ended = Ended()
    _sweep(ground, stack, sorted(known), Safeties(sweep=False), ended, lambda text, at=None: None)
    return ended


def _own_clusters(state: Mapping[str, Any]) -> set[str]:
    return {cluster.name for cluster in live_clusters(state) if cluster.ours}


def exported(ground: Ground, stack: str) -> Mapping[str, Any] | None:
    """The stack's state; None where there is no such stack. (To list them takes the longer the
    more there are.)"""
    try:
        return deployment_of(ground, stack)
    except RunFailed:
        if stack in ground.engine.stacks():
            raise
    return None


def _after_another(
    ground: Ground, stack: str, tell: Tell, since: float, safeties: Safeties
) -> Ended:
    try:
        return _end(ground, stack, tell, since, safeties, None)
    except RunFailed:
        if stack in ground.engine.stacks():
            raise
    tell(f"{stack}: somebody else has ended it meanwhile")
    return _swept_only(ground, stack, tell, safeties, Ended())


def _end(
    ground: Ground,
    stack: str,
    tell: Tell,
    since: float,
    safeties: Safeties,
    state: Mapping[str, Any] | None,
) -> Ended:
    ended = Ended()
    if state is None:
        take_over(ground.engine, stack, tell)
        state = exported(ground, stack)
        if state is None:
            return _swept_only(ground, stack, tell, safeties, ended)
    clusters = _remember(ground, stack, state)
    _note_pending(state, ended, tell)
    ended.notes += name_definitions(ground, stack, state)
    if safeties.drain:
        ended.notes += drain(
            ground, live_clusters(state), tell,
            lambda what: ended.events.append(_drained(ground.now() - since, what)),
        )  # fmt: skip
    pauses = list(PAUSES)
    for _ in range(MOST):
        before = len(resources(state))
        failures = _destroy(ground, stack, state, since, ended, tell)
        _sweep(ground, stack, clusters, safeties, ended, tell)
        state = ground.engine.export(stack)
        ended.empty = is_empty(state)
        if ended.empty:
            ended.notes += remove_definitions(ground, stack, tell)
            # where the records would go with the stack, it stays as long as anything is in doubt
            if ended.clean or ground.storage.durable:
                ground.engine.remove(stack)
            return ended
        if len(resources(state)) >= before:
            if not pauses:
                break
            ground.wait(pauses.pop(0))
    ended.notes += failures
    ended.still = names(state)
    _by_the_state(ground, stack, state, ended)
    return ended


def _by_the_state(ground: Ground, stack: str, state: Mapping[str, Any], ended: Ended) -> None:
    """Where the inventory is silent, the state and the recorded prices still say something."""
    if not ended.unproven:
        return
    ended.left = in_clouds(state)
    found = recorded(ground, stack)
    ended.usd_per_hour = found[1].price_per_hour if found else None


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


def _drained(at: float, what: str) -> dict[str, Any]:
    return {"at": round(at, 3), "what": f"drained {what}", "urn": ""}


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
    found = sorted(set(known.get("names", [])) | _own_clusters(deployment))
    records.write("clusters", {**known, "names": found, "ending": True})
    return found


def _note_pending(deployment: Mapping[str, Any], ended: Ended, tell: Tell) -> None:
    for operation, urn in pending(deployment):
        note = f"was interrupted while {operation} {urn.rsplit('::', 1)[-1]}"
        ended.notes.append(note)
        tell(note)

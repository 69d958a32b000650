"""When all jobs of a cluster have ended: one record, and what has been told of it. Pure.

decide(state, seen, now)   the state after a look
read_completion / write_completion   as a ConfigMap keeps it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace

from colony.agent.ending import CANCELLED, FAILED, LOST, SUCCEEDED, Ending

__all__ = [
    "Delivery", "JobMark", "Record", "Sight", "State", "decide", "delivered", "due",
    "read_completion", "worst_of", "write_completion",
]  # fmt: skip

FIRST, LONGEST = 5.0, 300.0
"""Seconds until a signal is tried again; doubled each time."""
PATIENCE = 24 * 3600.0
"""Seconds for which a signal is tried."""
WORST = (CANCELLED, FAILED, LOST, SUCCEEDED)


@dataclass(frozen=True)
class Sight:
    """A job's object as it is seen now."""

    uid: str
    ending: Ending | None = None


@dataclass(frozen=True)
class JobMark:
    """What is known of a job: which object it is, and how that ended."""

    uid: str
    outcome: str = ""
    reason: str = ""
    at: float = 0.0


@dataclass(frozen=True)
class Record:
    """Written once. `id` is the same whoever writes it, and however often it is told."""

    id: str
    outcome: str
    at: float
    jobs: Mapping[str, str]
    reason: str = ""


@dataclass(frozen=True)
class Delivery:
    """How far one signal is. `done` and `next`: unix seconds."""

    attempts: int = 0
    next: float = 0.0
    done: float | None = None
    error: str = ""


@dataclass(frozen=True)
class State:
    jobs: Mapping[str, JobMark] = field(default_factory=dict)
    record: Record | None = None
    signals: Mapping[str, Delivery] = field(default_factory=dict)


def decide(state: State, seen: Mapping[str, Sight | None], now: float) -> State:
    """After the record nothing changes any more. A job that was never seen has not begun, one that
    was and is gone is lost; another object of its name is another run of it."""
    if state.record is not None:
        return state
    jobs = {name: _marked(state.jobs.get(name), sight, now) for name, sight in seen.items()}
    known = {name: mark for name, mark in jobs.items() if mark is not None}
    ended = bool(seen) and all(mark is not None and mark.outcome for mark in jobs.values())
    return replace(state, jobs=known, record=_record(known) if ended else None)


def due(state: State, names: list[str], now: float) -> list[str]:
    """The signals that are to be sent now; none before the record is written."""
    if state.record is None:
        return []
    return [
        name
        for name in names
        if (sent := state.signals.get(name, Delivery())).done is None
        and sent.next <= now
        and now - state.record.at <= PATIENCE
    ]


def delivered(state: State, name: str, now: float, error: str = "") -> State:
    """After an attempt."""
    before = state.signals.get(name, Delivery())
    wait = min(FIRST * 2**before.attempts, LONGEST)
    tried = replace(
        before,
        attempts=before.attempts + 1,
        done=None if error else now,
        next=now + wait if error else 0.0,
        error=error,
    )
    return replace(state, signals={**state.signals, name: tried})


def read_completion(data: Mapping[str, str]) -> State:
    """Raises ValueError, KeyError and TypeError for what is not ours."""
    record = json.loads(data.get("completion") or "null")
    return State(
        {name: JobMark(**mark) for name, mark in json.loads(data.get("jobs") or "{}").items()},
        Record(**record) if record else None,
        {name: Delivery(**sent) for name, sent in json.loads(data.get("signals") or "{}").items()},
    )


def write_completion(state: State) -> dict[str, str]:
    return {
        "jobs": _json({name: asdict(mark) for name, mark in state.jobs.items()}),
        "completion": _json(asdict(state.record)) if state.record else "",
        "signals": _json({name: asdict(sent) for name, sent in state.signals.items()}),
    }


def _marked(mark: JobMark | None, sight: Sight | None, now: float) -> JobMark | None:
    if sight is None:
        if mark is None or mark.outcome:
            return mark
        return replace(mark, outcome=LOST, reason="its object was deleted", at=now)
    if mark is None or mark.uid != sight.uid:
        mark = JobMark(sight.uid)
    if mark.outcome or sight.ending is None:
        return mark
    return replace(mark, outcome=sight.ending.outcome, reason=sight.ending.reason, at=now)


def worst_of(outcomes: Collection[str]) -> str:
    """Of jobs that have all ended; there is at least one."""
    return next(each for each in WORST if each in outcomes)


def _record(jobs: Mapping[str, JobMark]) -> Record:
    outcome = worst_of([mark.outcome for mark in jobs.values()])
    first = next((f"{n}: {m.reason}" for n, m in sorted(jobs.items()) if m.outcome == outcome), "")
    key = "|".join(f"{name}={mark.uid}" for name, mark in sorted(jobs.items()))
    return Record(
        id=hashlib.sha256(key.encode()).hexdigest()[:32],
        outcome=outcome,
        at=max(mark.at for mark in jobs.values()),
        jobs={name: mark.outcome for name, mark in sorted(jobs.items())},
        reason="" if outcome == SUCCEEDED else first,
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)

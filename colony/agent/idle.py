"""When a cluster is idle, and what that asks for. Pure; two timers, one beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

__all__ = ["MODES", "Activity", "IdleSpec", "IdleState", "decide", "read_idle", "write_idle"]

MODES = ("jobs_and_ssh", "jobs", "none")
SESSION = 300.0
"""Seconds for which the last sign of a session counts."""


@dataclass(frozen=True)
class IdleSpec:
    """`stop` and `delete`: seconds of idleness, None = never. `wait_for` none: a hard limit, that
    counts from the first look and waits for nothing."""

    wait_for: str = "jobs_and_ssh"
    stop: float | None = None
    delete: float | None = None


@dataclass(frozen=True)
class IdleState:
    """`since`: when it became idle, None while it is busy. `signal`: what was asked for."""

    since: float | None = None
    signal: str = ""
    at: float | None = None


@dataclass(frozen=True)
class Activity:
    """What is seen: pods of jobs, other pods, the last sign of a session, the last end of a pod."""

    jobs: int = 0
    others: int = 0
    session: float | None = None
    ended: float | None = None


def decide(spec: IdleSpec, state: IdleState | None, seen: Activity, now: float) -> IdleState:
    """The state after this look. `delete` is the last word: nothing takes it back."""
    if state is not None and state.signal == "delete":
        return state
    if spec.wait_for == "none":
        began = now if state is None or state.since is None else state.since
        return _signalled(spec, replace(state or IdleState(), since=began), now)
    if _busy(spec, seen, now):
        return IdleState()
    since = state.since if state and state.since is not None else now
    last = [seen.ended] if seen.ended is not None else []
    if spec.wait_for == "jobs_and_ssh" and seen.session is not None:
        last.append(seen.session)
    after = max([since, *(min(each, now) for each in last)])
    return _signalled(spec, replace(state or IdleState(), since=after), now)


def read_idle(data: Mapping[str, str]) -> IdleState:
    """Of the ConfigMap's data. Raises ValueError for what is not ours."""
    signal = data.get("signal", "")
    if signal not in ("", "stop", "delete"):
        raise ValueError(f"the idle state has an unknown signal {signal[:40]!r}")
    return IdleState(_number(data.get("since")), signal, _number(data.get("at")))


def write_idle(state: IdleState) -> dict[str, str]:
    return {"since": _text(state.since), "signal": state.signal, "at": _text(state.at)}


def _busy(spec: IdleSpec, seen: Activity, now: float) -> bool:
    if seen.jobs:
        return True
    if spec.wait_for != "jobs_and_ssh":
        return False
    return bool(seen.others) or (seen.session is not None and now - seen.session < SESSION)


def _signalled(spec: IdleSpec, state: IdleState, now: float) -> IdleState:
    idle = now - (state.since or 0.0)
    for signal, after in (("delete", spec.delete), ("stop", spec.stop)):
        if after is not None and idle >= after:
            return state if state.signal == signal else replace(state, signal=signal, at=now)
    return replace(state, signal="", at=None)


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"

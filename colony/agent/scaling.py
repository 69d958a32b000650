"""Scalings: one at a time, in the order they were asked for; taken back when they fail."""

from __future__ import annotations

import copy

from colony.agent.model import (
    DRAINING,
    IN,
    OUT,
    SCRIPT,
    STARTING,
    UNDOING,
    Request,
    Scaling,
    Seen,
    Spec,
    State,
    index_of,
)
from colony.agent.turn import Turn
from colony.agent.workers import LIMIT

__all__ = ["STUCK", "advance", "grow", "interrupt", "refusal", "start"]

STUCK = 120.0
"""Seconds beyond its deadline that a scaling waits for pods that do not go."""
GROW = "grow-"
"""How the ids of our own requests begin."""
GROW_EVERY = 60.0


class _RefusedError(Exception):
    """The request cannot be done: nothing was changed."""


def advance(turn: Turn) -> None:
    """The scaling under way goes on where it can."""
    scaling = turn.state.scaling
    if scaling is None:
        return
    stages = {STARTING: _starting, SCRIPT: _script, DRAINING: _draining, UNDOING: _undoing}
    stages[scaling.stage](turn, scaling)


def start(turn: Turn) -> None:
    """The first request that can be done; those before it are refused."""
    state = turn.state
    while state.requests and state.scaling is None:
        request = state.requests.pop(0)
        if any(done.id == request.id for done in state.history):
            continue
        try:
            _begin(turn, request)
        except _RefusedError as refusal:
            turn.record(Scaling(request, "", [], turn.now), "refused", str(refusal))


def refusal(spec: Spec, state: State, request: Request) -> str | None:
    """Why a request would be refused if it were the next."""
    try:
        _chosen(Turn(spec, copy.deepcopy(state), Seen(now=0.0)), request)
    except _RefusedError as refused:
        return str(refused)
    return None


def grow(turn: Turn) -> None:
    """One worker more, while there are fewer than somebody asked for."""
    state = turn.state
    if not turn.spec.grow or state.scaling or state.requests or state.owed:
        return
    if turn.size >= min(state.wanted, turn.spec.max) or state.failures >= LIMIT:
        return
    if turn.now < max(state.grow_at, state.retry_at):
        return
    _begin(turn, Request(f"{GROW}{state.high_water}", OUT, count=1))


def interrupt(turn: Turn, reason: str) -> None:
    """Ends the scaling under way; who is being added has to be sent away by the caller."""
    turn.finish("failed", reason)


def _begin(turn: Turn, request: Request) -> None:
    chosen = _chosen(turn, request)
    state, spec = turn.state, turn.spec
    timeout = request.timeout or spec.timeout
    scaling = Scaling(request, STARTING, chosen, turn.now + timeout)
    state.scaling = scaling
    if request.kind == OUT:
        return
    if request.count is not None:
        state.owed -= request.count - len(chosen)  # what was never made goes first
    scaling.stage = DRAINING
    scaling.generation = turn.depart(chosen, "scaled in", scaling.deadline, told=True)
    state.wanted = turn.size


def _chosen(turn: Turn, request: Request) -> list[str]:
    """The workers it is about. Raises _RefusedError."""
    if (request.count is None) == (request.names is None):
        raise _RefusedError("either a count or names must be given")
    if request.names == []:
        raise _RefusedError("no name is given")
    if request.count is not None and request.count < 1:
        raise _RefusedError(f"the count must be at least 1, not {request.count}")
    if request.script and not turn.spec.launcher:
        raise _RefusedError("the job has no launcher that could run the script")
    if request.kind == OUT:
        return _new(turn, request)
    if request.kind == IN:
        return _old(turn, request)
    raise _RefusedError(f"`{request.kind}` is neither `{OUT}` nor `{IN}`")


def _new(turn: Turn, request: Request) -> list[str]:
    spec, state = turn.spec, turn.state
    names = _spelled(turn, request.names or [])
    count = len(names) if request.count is None else request.count
    if turn.size + count > spec.max:
        raise _RefusedError(f"there would be {turn.size + count} workers, and max is {spec.max}")
    if request.count is not None:
        return turn.fresh(count)
    used = [name for name in names if not _is_free(turn, name)]
    if used:
        next_one = spec.name(state.high_water)
        raise _RefusedError(f"no new worker can be {', '.join(used)}: the next is {next_one}")
    state.high_water = max(index_of(name) for name in names) + 1
    return sorted(names, key=index_of)


def _old(turn: Turn, request: Request) -> list[str]:
    spec, state = turn.spec, turn.state
    names = _spelled(turn, request.names or [])
    unknown = [name for name in names if name not in state.target]
    if unknown:
        known = ", ".join(sorted(state.target, key=index_of))
        raise _RefusedError(f"no worker is called {', '.join(unknown)}: there are {known}")
    count = len(names) if request.count is None else request.count
    if turn.size - count < spec.min:
        raise _RefusedError(f"there would be {turn.size - count} workers, and min is {spec.min}")
    if request.count is None:
        return sorted(names, key=index_of)
    rest = count - min(count, state.owed)
    return sorted(state.target, key=index_of)[len(state.target) - rest :]


def _spelled(turn: Turn, names: list[str]) -> list[str]:
    """`worker-1` is short for `JOB-worker-1`."""
    prefix = f"{turn.spec.job}-"
    full = [name if name.startswith(prefix) else f"{prefix}{name}" for name in names]
    if len(set(full)) != len(full):
        raise _RefusedError("a name is given twice")
    return full


def _is_free(turn: Turn, name: str) -> bool:
    number = name.rsplit("-", 1)[-1]
    if not (number.isascii() and number.isdigit()) or name != turn.spec.name(int(number)):
        return False
    return int(number) >= turn.state.high_water


def _starting(turn: Turn, scaling: Scaling) -> None:
    gone = [name for name in scaling.names if turn.lost(name)]
    if gone:
        _undo(turn, scaling, f"{', '.join(gone)} ended before all were running")
    elif all(turn.runs(name) for name in scaling.names):
        _announce(turn, scaling)
    elif turn.now >= scaling.deadline:
        _undo(turn, scaling, f"not all were running in time: {_why(turn, scaling)}")


def _announce(turn: Turn, scaling: Scaling) -> None:
    turn.state.target += scaling.names
    if scaling.request.script:
        scaling.stage = SCRIPT
        scaling.generation = turn.next_generation()
        return
    _done(turn)


def _done(turn: Turn) -> None:
    turn.state.wanted = max(turn.state.wanted, turn.size)
    turn.finish("done")


def _script(turn: Turn, scaling: Scaling) -> None:
    if turn.state.acknowledged >= scaling.generation:
        _done(turn)
    elif turn.now >= scaling.deadline:
        _undo(turn, scaling, "the script did not end well in time")


def _undo(turn: Turn, scaling: Scaling, reason: str) -> None:
    told = scaling.stage == SCRIPT
    wait = float(scaling.request.timeout or turn.spec.timeout) if told else 0.0
    turn.depart(scaling.names, reason, turn.now + wait, told)
    scaling.stage, scaling.reason = UNDOING, reason
    scaling.deadline = turn.now + wait


def _undoing(turn: Turn, scaling: Scaling) -> None:
    left = [name for name in scaling.names if turn.pod(name)]
    if left and turn.now < scaling.deadline + STUCK:
        return
    if scaling.request.id.startswith(GROW):
        turn.state.scaling, turn.state.grow_at = None, turn.now + GROW_EVERY
        return
    turn.finish("failed")


def _draining(turn: Turn, scaling: Scaling) -> None:
    left = [name for name in scaling.names if turn.pod(name)]
    held = turn.state.acknowledged < scaling.generation
    if turn.now >= scaling.deadline and held and any(_is_alive(turn, name) for name in left):
        scaling.reason = "the launcher had not let go in time"
    if not left:
        turn.finish("done")
    elif turn.now >= scaling.deadline + STUCK:
        turn.finish("done", f"{', '.join(left)} are still being ended")


def _is_alive(turn: Turn, name: str) -> bool:
    pod = turn.pod(name)
    return pod is not None and pod.alive


def _why(turn: Turn, scaling: Scaling) -> str:
    for name in scaling.names:
        pod = turn.pod(name)
        if pod is None:
            return f"{name} was not made"
        if not pod.running:
            return f"{name}: {pod.why or pod.phase}"
    return ""

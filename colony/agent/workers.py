"""Workers that die, leave, are replaced; the launcher's answers."""

from __future__ import annotations

from colony.agent.model import Pod, index_of
from colony.agent.turn import Turn

__all__ = ["acknowledge", "begin_anew", "notice", "released", "replace", "settle_hosts"]

LASTING = 600.0
"""Seconds: a worker that failed after this long was a good one."""
LIMIT = 10
"""Workers that failed soon after their start, one after the other: no more are made."""
LONGEST_PAUSE = 300.0
LOST_BY_SIGNAL = range(128, 256)
"""Exit codes that are no fault of the program (a signal, a lost node): Restart.EXIT_CODE."""


def notice(turn: Turn) -> None:
    """What happened to the workers since the last turn."""
    state = turn.state
    there = [name for name in [*state.target, *turn.adding] if turn.pod(name)]
    state.seen = sorted({*state.seen, *there} & {*state.target, *turn.adding}, key=index_of)
    for name in list(state.target):
        if turn.lost(name):
            _bury(turn, name)
    leaving = [name for name in state.target if _is_taken(turn, turn.pod(name))]
    if leaving:
        reason = "its node is drained or taken away"
        turn.depart(leaving, reason, turn.now + turn.spec.timeout, told=True)
        for _ in leaving:
            _comes_back(turn, turn.spec.restart != "Never")
    for name in list(state.departing):
        if turn.pod(name) is None:
            del state.departing[name]


def begin_anew(turn: Turn) -> None:
    """A new launcher misses the workers that ended with the one before it."""
    state, launcher = turn.state, turn.seen.launcher
    if launcher is None or launcher.name == state.launcher:
        return
    if state.launcher and state.succeeded:
        room = turn.spec.max - turn.size - len(turn.adding)
        missed = min(state.succeeded, room)
        state.owed, state.wanted = state.owed + missed, state.wanted + missed
        state.succeeded = 0
    state.launcher = launcher.name


def acknowledge(turn: Turn) -> None:
    """The launcher answers by turning unready and ready again (elastic.sh, `probe`)."""
    state, launcher = turn.state, turn.seen.launcher
    if turn.awaited:
        if launcher is None or launcher.mark in ("", state.ready_since):
            return
        if state.ready_since.partition("@")[0] != launcher.name:
            turn.renew()  # it was not ready before, or not there: this is no answer
            return
        state.acknowledged = state.generation
    waiting = [each.generation for each in state.departing.values()]
    if state.scaling:
        waiting.append(state.scaling.generation)
    if max(waiting, default=0) > state.generation:
        turn.renew()


def replace(turn: Turn) -> None:
    """Makes what is owed: new indices, after a pause where workers fail again and again."""
    state = turn.state
    floor = max(turn.spec.min - state.succeeded, 0)
    state.owed = max(state.owed, floor - len(state.target))
    state.message = ""
    if not state.owed:
        return
    if state.failures >= LIMIT:
        state.message = f"{LIMIT} workers failed soon after their start: no more are made"
        return
    if turn.now >= state.retry_at:
        state.target += turn.fresh(state.owed)
        state.owed = 0


def settle_hosts(turn: Turn) -> None:
    """The workers that the launcher is told of: those that run, in order."""
    state = turn.state
    hosts = [name for name in sorted(state.target, key=index_of) if turn.runs(name)]
    if hosts != state.hosts:
        state.hosts = hosts
        state.announced_at = turn.now


def released(turn: Turn, name: str) -> bool:
    """Whether a departing worker may be deleted."""
    gone, pod, launcher = turn.state.departing[name], turn.pod(name), turn.seen.launcher
    if pod is None or not pod.alive or not turn.spec.launcher:
        return True
    if launcher is None or not launcher.running:
        return True
    return turn.state.acknowledged >= gone.generation or turn.now >= gone.deadline


def _bury(turn: Turn, name: str) -> None:
    pod, state = turn.pod(name), turn.state
    state.target.remove(name)
    state.seen.remove(name)
    well = pod is not None and pod.phase == "Succeeded"
    if well and turn.spec.restart != "Always":
        state.succeeded += 1
        state.wanted -= 1
        return
    _count_failure(turn, pod)
    _comes_back(turn, _is_replaced(turn.spec.restart, pod))


def _comes_back(turn: Turn, replaced: bool) -> None:
    """At once, when there is room again (`grow`), or not at all."""
    if replaced:
        turn.state.owed += 1
    elif not turn.spec.grow:
        turn.state.wanted = turn.size


def _is_replaced(restart: str, pod: Pod | None) -> bool:
    if restart == "ExitCode":
        code = pod.exit_code if pod else None
        return code is None or code in LOST_BY_SIGNAL
    return restart in ("OnFailure", "Always")


def _is_taken(turn: Turn, pod: Pod | None) -> bool:
    if pod is None or not pod.alive:
        return False
    return pod.disrupted or pod.node in turn.seen.leaving_nodes


def _count_failure(turn: Turn, pod: Pod | None) -> None:
    if pod is None or not pod.exit_code:
        return
    state = turn.state
    young = turn.now - pod.started < LASTING
    state.failures = state.failures + 1 if young else 1
    pause = 0.0 if state.failures < 2 else 5.0 * 2 ** min(state.failures - 2, 10)
    state.retry_at = turn.now + min(pause, LONGEST_PAUSE)

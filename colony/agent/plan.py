"""What to do next for one elastic job: a pure function of what is seen and what was decided.

The new state is written before any action is done. So whatever happens in between, the next turn
finds the decision, and does again what is missing.
"""

from __future__ import annotations

import copy

from colony.agent.model import (
    Action,
    CreatePod,
    DeleteAll,
    DeleteObject,
    DeletePod,
    Departure,
    Nudge,
    Plan,
    Seen,
    Spec,
    State,
    index_of,
)
from colony.agent.scaling import advance, grow, interrupt, start
from colony.agent.turn import Turn
from colony.agent.workers import acknowledge, begin_anew, notice, released, replace, settle_hosts

__all__ = ["plan"]

KEPT = 10
"""Pods that ended and are kept for their logs."""
NUDGE_EVERY = 4.0
NUDGES = 3
NUDGES_AWAITED = 100


def plan(spec: Spec, state: State | None, seen: Seen) -> Plan:
    """The next turn. The given state is not changed."""
    workload = seen.workload
    if state is None:
        if not workload.exists or workload.suspended or workload.finished:
            return Plan(None)
        state = _adopted(spec, seen)
    turn = Turn(spec, copy.deepcopy(state), seen)
    if workload.finished or not workload.exists:
        return _finish(turn)
    if workload.suspended:
        return _suspend(turn)
    _resume(turn)
    notice(turn)
    begin_anew(turn)
    acknowledge(turn)
    advance(turn)
    replace(turn)
    start(turn)
    grow(turn)
    settle_hosts(turn)
    return Plan(turn.state, _actions(turn))


def _adopted(spec: Spec, seen: Seen) -> State:
    """The first decision. Pods are there only where an earlier one was lost."""
    there = sorted((pod.name for pod in seen.pods.values() if pod.running), key=index_of)
    high_water = max((index_of(name) + 1 for name in seen.pods), default=0)
    target = there[: spec.max]
    missing = max(spec.start if not target else spec.min, len(target)) - len(target)
    target += [spec.name(high_water + offset) for offset in range(missing)]
    return State(
        target=target,
        high_water=high_water + missing,
        wanted=len(target),
        announced_at=seen.now,
    )


def _finish(turn: Turn) -> Plan:
    """The launcher's end decides. It stays, for its logs; what served it goes."""
    turn.state.phase, turn.state.requests = "Finished", []
    interrupt(turn, "the job has ended")
    if turn.spec.clean_up == "None":
        return Plan(turn.state)
    turn.state.target, turn.state.hosts, turn.state.departing = [], [], {}
    every = turn.spec.clean_up == "All"
    left = [pod for pod in turn.seen.pods.values() if every or not pod.ended]
    if left:
        going: list[Action] = [DeletePod(pod.name) for pod in left if not pod.terminating]
        return Plan(turn.state, going)
    objects = [DeleteObject(each["resource"], each["name"]) for each in turn.spec.remove]
    return Plan(turn.state, [*objects, DeleteAll()])


def _suspend(turn: Turn) -> Plan:
    state = turn.state
    if state.phase != "Suspended":
        going = [*state.target, *turn.adding]
        interrupt(turn, "the job was suspended")
        turn.depart(going, "the job was suspended", turn.now, told=False)
        state.phase, state.owed = "Suspended", 0
    for name in list(state.departing):
        state.departing[name] = Departure(0, turn.now, "the job was suspended")
        if turn.pod(name) is None:
            del state.departing[name]
    settle_hosts(turn)
    return Plan(state, _actions(turn))


def _resume(turn: Turn) -> None:
    if turn.state.phase == "Suspended":
        turn.state.phase = "Running"
        turn.state.target = turn.fresh(max(turn.state.wanted, turn.spec.min))
        turn.state.succeeded = 0


def _actions(turn: Turn) -> list[Action]:
    return [*_deletions(turn), *_creations(turn), *_nudge(turn)]


def _deletions(turn: Turn) -> list[Action]:
    state = turn.state
    wanted = {*state.target, *turn.adding}
    names = [name for name in state.departing if released(turn, name)]
    ended = []
    for name, pod in sorted(turn.seen.pods.items(), key=lambda item: index_of(item[0])):
        if name in wanted or name in state.departing:
            continue
        if pod.ended:
            ended.append(name)
        else:
            names.append(name)
    names += ended[: max(len(ended) - KEPT, 0)]
    return [DeletePod(name) for name in names if _is_there(turn, name)]


def _is_there(turn: Turn, name: str) -> bool:
    pod = turn.pod(name)
    return pod is not None and not pod.terminating


def _creations(turn: Turn) -> list[Action]:
    """Never more pods than `max` at once, those included that are still going."""
    state = turn.state
    there = sum(not pod.ended for pod in turn.seen.pods.values())
    room = max(turn.spec.max - there, 0)
    names = sorted({*state.target, *turn.adding} - set(state.seen), key=index_of)
    missing = [name for name in names if turn.pod(name) is None]
    return [CreatePod(name, index_of(name)) for name in missing[:room]]


def _nudge(turn: Turn) -> list[Action]:
    """A node looks at a mounted ConfigMap once a minute, or when the pod itself is changed."""
    launcher, state = turn.seen.launcher, turn.state
    if launcher is None:
        return []
    limit = NUDGES_AWAITED if turn.awaited else NUDGES
    step = min(int(max(turn.now - state.announced_at, 0) // NUDGE_EVERY), limit)
    value = f"{state.generation}-{int(state.announced_at)}-{step}"
    return [] if launcher.nudge == value else [Nudge(launcher.name, value)]

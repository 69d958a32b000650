"""When a node is unhealthy, and when it is well again. Pure.

A hardware fault taints the node. The taint is lifted by a reboot (its boot has another id), by hand
(whoever takes the taint off has looked at it), or after `lift_after` seconds without another fault.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace

from colony.agent.faults import is_hardware, read_fault

__all__ = ["TAINT", "TOLD", "Deed", "Line", "NodeState", "hear", "read_nodes", "settle",
           "write_nodes"]  # fmt: skip

TAINT = "colony.dev/unhealthy"
"""Key of the taint; its value is the fault, `xid-79`."""
TOLD = "colony.dev/unhealthy-because"
"""Annotation of the node: the kernel's own words."""
LONGEST = 300
"""Characters of those words."""


@dataclass(frozen=True)
class Line:
    """Of a kernel's log. `at`: seconds since the boot with the id `boot`."""

    boot: str
    at: float
    text: str


@dataclass(frozen=True)
class NodeState:
    """Of a node that had a fault. What is older than `heard` has been dealt with."""

    boot: str = ""
    before: str = ""
    """The boot before that: a log of it may still be read for a moment."""
    heard: float = -1.0
    faults: tuple[str, ...] = ()
    because: str = ""
    since: float = 0.0
    """Unix seconds when the newest fault was heard of."""
    tainted: bool = False
    """Our taint was seen on it."""


@dataclass(frozen=True)
class Deed:
    """What is done to the node: the value of its taint, or None = taken off."""

    value: str | None
    because: str = ""


def hear(
    state: NodeState | None, lines: Iterable[Line], allowed: Collection[str], now: float
) -> NodeState | None:
    """The state after these lines; None while the node had no fault of hardware."""
    for line in lines:
        fault = read_fault(line.text)
        if fault is None or not is_hardware(fault, allowed) or not _is_new(state, line):
            continue
        known = state or NodeState(line.boot)
        if known.boot != line.boot:
            known = _rebooted(known, line.boot)
        faults = (*(each for each in known.faults if each != fault.name), fault.name)
        state = replace(
            known, heard=line.at, faults=faults, because=line.text[:LONGEST], since=now
        )  # fmt: skip
    return state


def settle(
    state: NodeState, boot: str, present: bool, now: float, lift_after: float | None = None
) -> tuple[NodeState, Deed | None]:
    """The state, and what has to be done for it. `boot`: the node's own word, empty where it says
    none; `present`: whether the taint is on it."""
    if present and state.faults:
        state = replace(state, tainted=True)  # before all else: who put it there may have died
    if boot and state.boot != boot:
        state = _rebooted(state, boot)
    if lift_after is not None and state.faults and now - state.since >= lift_after:
        state = replace(state, faults=())
    if not state.faults:
        return replace(state, tainted=present and state.tainted), (
            Deed(None) if present and state.tainted else None
        )
    if present:
        return state, None
    if state.tainted:  # somebody took it off: the node is well again
        return replace(state, faults=(), tainted=False), None
    return state, Deed(state.faults[-1], state.because)


def read_nodes(text: str) -> dict[str, NodeState]:
    """By the node's name. Raises ValueError for what is not ours."""
    known = {field.name for field in fields(NodeState)}
    found = json.loads(text or "{}")
    if not isinstance(found, dict) or any(set(each) - known for each in found.values()):
        raise ValueError("the state of the nodes' health is not ours")
    return {
        name: NodeState(**{**each, "faults": tuple(each["faults"])}) for name, each in found.items()
    }


def write_nodes(nodes: Mapping[str, NodeState]) -> str:
    return json.dumps({name: asdict(each) for name, each in sorted(nodes.items())})


def _is_new(state: NodeState | None, line: Line) -> bool:
    if state is None:
        return True
    if line.boot == state.boot:
        return line.at > state.heard
    return line.boot != state.before


def _rebooted(state: NodeState, boot: str) -> NodeState:
    """What was before is over; a taint that is there still has to go."""
    return NodeState(boot, state.boot, tainted=state.tainted)

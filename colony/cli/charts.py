"""`colony charts`: the pins of the layers against what their repositories publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import charts
from colony.cli import show
from jobs.errors import NotReady, RunFailed

if TYPE_CHECKING:
    from colony.charting.lock import State

__all__ = ["check", "lock"]


def lock(output: str) -> int:
    """Writes the digests that can be had. A version whose archive was exchanged keeps its line."""
    from colony.charting.lock import locked, read_lock, write_lock
    from colony.charting.store import Store

    states, lines = [], {}
    for state, line in locked(charts.load(charts.FOLDER), read_lock(charts.FOLDER), Store()):
        states.append(state)
        if line:
            lines[state.name] = line
    write_lock(charts.FOLDER, lines)
    return _told(states, output)


def check(output: str) -> int:
    """0 all are as locked · 1 something differs · 3 all that was reached is, and some was not."""
    from colony.charting.lock import checked, read_lock
    from colony.charting.store import Store

    layers, known = charts.load(charts.FOLDER), read_lock(charts.FOLDER)
    return _told(list(checked(layers, known, Store())), output)


def _told(states: list[State], output: str) -> int:
    if output == "json":
        show.as_json([state.to_dict() for state in states])
    else:
        rows = [[state.name, state.version, state.digest[:12] or "-", _word(state)]
                for state in states]  # fmt: skip
        show.table("", ["layer", "version", "digest", "state"], rows)
        for state in states:
            for problem in state.problems:
                show.console(stderr=True).print(f"error: {state.name}: {problem}", markup=False)
        for reason in dict.fromkeys(state.unreachable for state in states if state.unreachable):
            show.console(stderr=True).print(f"offline: {reason}", markup=False)
    if any(state.problems for state in states):
        return RunFailed.exit_code
    return NotReady.exit_code if any(state.unreachable for state in states) else 0


def _word(state: State) -> str:
    if state.problems:
        return "differs"
    return "not reached" if state.unreachable else "ok"

"""What a refusal is, how it is understood, what is decided on it, and the bounds of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from colony.market.failures import Failure
from colony.market.settle import Settled

__all__ = ["Action", "Decision", "Policy", "Refused", "Understood"]


class Action(str, Enum):
    """What follows an attempt that was refused."""

    AGAIN = "again"
    """The same, after a while."""
    MOVE = "move"
    STOP = "stop"


@dataclass(frozen=True)
class Policy:
    """The bounds of looking for capacity. Seconds."""

    deadline: float = 3600
    """Over all attempts and all waiting between them."""
    attempts: int = 24
    longest_pause: float = 120
    """Between two attempts at what was only throttled."""
    leaves_hosts: bool = True
    """Whether a cluster on-prem that refused is left out where its jobs can go to another one."""


@dataclass(frozen=True)
class Refused:
    """One error of a failed attempt; `pool` is empty for what belongs to the cluster itself, and
    the machine's resource for hosts on-prem."""

    cluster: str
    pool: str
    text: str


@dataclass(frozen=True)
class Understood:
    """The same, classified: what is not asked for, and until when."""

    cluster: str
    pool: str
    failure: Failure
    until: float | None
    """None = nothing is blocked."""


@dataclass(frozen=True)
class Decision:
    """`after` seconds, the settled placement is tried."""

    action: Action
    reason: str
    understood: Sequence[Understood] = ()
    after: float = 0.0
    settled: Settled | None = None
    moved: Sequence[str] = ()
    """The clusters that are elsewhere now; the others stay as they are."""

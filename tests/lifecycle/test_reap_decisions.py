from __future__ import annotations

import os
import socket

import psutil
import pytest

from colony.lifecycle.reap import decide
from components.lease import Lease

LEASE = Lease(colony="c", stack="c", owner="o", created=0, expires=1000, end="colony down c")
HOST = socket.gethostname()
DEAD = {"pid": 2**22 + 1, "host": HOST, "started": 1.0}
ME = {"pid": os.getpid(), "host": HOST, "started": psutil.Process().create_time()}
REUSED = {**ME, "started": ME["started"] - 10_000}
ELSEWHERE = {**DEAD, "host": "another-host"}


@pytest.mark.parametrize(
    "lease, completion, runner, now, action",
    [
        (None, None, None, 0, "refuse"),
        (None, {"outcome": "failed"}, DEAD, 10**9, "refuse"),
        (LEASE, None, None, 999, "wait"),
        (LEASE, None, None, 1000, "reap"),
        (LEASE, None, ME, 10, "wait"),
        (LEASE, None, ME, 1000, "reap"),
        (LEASE, None, DEAD, 10, "reap"),
        (LEASE, None, REUSED, 10, "reap"),
        (LEASE, None, ELSEWHERE, 10, "wait"),
        (LEASE, {"outcome": "succeeded"}, None, 10, "reap"),
        (LEASE, {"outcome": "failed", "keep": True}, None, 10, "wait"),
        (LEASE, {"outcome": "failed", "keep": True}, DEAD, 10, "wait"),
        (LEASE, {"outcome": "failed", "keep": True}, None, 1000, "reap"),
    ],
)
def test_a_colony_is_ended_only_for_a_reason(lease, completion, runner, now, action):
    verdict = decide("c", lease, completion, runner, now=now)
    assert (verdict.action, bool(verdict.reason)) == (action, True)

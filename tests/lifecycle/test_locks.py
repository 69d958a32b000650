from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest

from colony.lifecycle.locks import LONGEST_OPERATION, alive, is_stale

NOW = 1_767_225_600.0


@dataclass
class Lock:
    host: str = socket.gethostname()
    pid: int = os.getpid()
    user: str = "u"
    timestamp: float = NOW


@pytest.mark.parametrize(
    "lock, age, stale",
    [
        (Lock(), 0, False),
        (Lock(pid=2**22 + 1), 0, True),
        (Lock(host="elsewhere", pid=2**22 + 1), 0, False),
        (Lock(host="elsewhere"), LONGEST_OPERATION + 1, True),
        (Lock(host="elsewhere"), 60, False),
    ],
)
def test_only_a_lock_of_the_dead_or_the_very_old_is_taken(lock, age, stale):
    assert is_stale(lock, NOW + age) is stale


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        while child.pid and alive(child.pid):
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(child.pid)
    finally:
        child.wait()

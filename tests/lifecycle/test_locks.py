from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest

from colony import folder
from colony.lifecycle.locks import LONGEST_OPERATION, alive, is_stale, take_over
from colony.storage.folder import Folder

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


class Engine:
    """Locks of a backend; while they are looked at, another reaper takes its own."""

    def __init__(self, storage):
        self.storage = storage

    def locks(self, stack):
        found = folder.locks(self.storage, "colony", stack)
        write_lock(self.storage, "theirs", os.getpid())
        return found

    def release(self, lock):
        self.storage.delete(lock.key)


def write_lock(storage, name, pid):
    held = {"hostname": socket.gethostname(), "pid": pid, "username": "u",
            "timestamp": "2026-01-01T00:00:00Z"}  # fmt: skip
    key = f".pulumi/locks/organization/colony/demo/{name}.json"
    storage.write(key, json.dumps(held).encode())


def test_of_two_reapers_none_takes_the_lock_that_the_other_has_just_taken(tmp_path):
    storage = Folder(tmp_path)
    write_lock(storage, "stale", 2**22 + 1)
    assert take_over(Engine(storage), "demo", lambda text: None)
    assert [lock.key[-11:] for lock in folder.locks(storage, "colony", "demo")] == ["theirs.json"]

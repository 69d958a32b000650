"""The processes that end many colonies: what one of them dies of is one colony's matter."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from colony.lifecycle import reap_many

PROGRAM = """
import json, os, sys, time
print("a thing that no answer is", file=sys.stderr)
for line in sys.stdin:
    stack = line.strip()
    print(json.dumps({"tell": f"{stack} by {os.getpid()}"}), flush=True)
    if stack == "dies":
        sys.exit("out of memory")
    if stack == "hangs":
        time.sleep(600)
    verdict = {"stack": stack, "action": "reap", "reason": ""}
    print(json.dumps({"verdict": verdict, "ended": None, "error": ""}), flush=True)
"""


@pytest.fixture
def ended(monkeypatch):
    """Stack -> what came of it; and what was told of it."""
    monkeypatch.setattr(reap_many, "PROGRAM", (sys.executable, "-c", PROGRAM))
    monkeypatch.setattr(reap_many, "AT_ONCE", 2)
    ground = SimpleNamespace(arguments=list)

    def end(*stacks):
        said = []
        return reap_many.side_by_side(ground, stacks, said.append), said

    return end


def test_one_process_ends_many_and_no_more_run_than_are_allowed(ended):
    stacks = [f"colony{number}" for number in range(20)]
    found, said = ended(*stacks)
    assert sorted(found) == sorted(stacks)
    assert all(one["verdict"]["stack"] == stack for stack, one in found.items())
    assert len(said) == 20
    assert len({line.rpartition(" ")[2] for line in said}) <= 2


def test_what_one_dies_of_is_said_and_all_others_end(ended):
    found, said = ended("a", "dies", "b", "dies", "c")
    assert found["dies"]["error"] == "out of memory"
    assert {stack for stack, one in found.items() if not one["error"]} == {"a", "b", "c"}
    assert len(said) == 5


def test_what_takes_too_long_is_killed(ended, monkeypatch):
    monkeypatch.setattr(reap_many, "DEADLINE", 0.5)
    found, _ = ended("hangs")
    assert "did not end within" in found["hangs"]["error"]

"""`kill -9` of an attached run: the next `colony reap` brings the ledger to zero.

Every moment of a life is in the crash matrix (`test_crash_matrix.py`).
"""

from __future__ import annotations

import pytest
from colony_command import Running, colony, ledger, task
from crash_matrix.life import MADE_BY_THE_JOB

from colony.rehearsal.world import World, left

pytestmark = [pytest.mark.engine, pytest.mark.crash]

NODES = "aws:eks/nodeGroup:NodeGroup"
CLUSTER = "aws:eks/cluster:Cluster"
GATEWAY = "aws:ec2/natGateway:NatGateway"


def killed(tmp_path, run="true", faults=(), *options):
    """Runs a task in a new world until a fault kills it; returns the world's folder."""
    world = tmp_path / "world"
    World.create(world, faults=list(faults)).close()
    done = Running("run", task(tmp_path, run), "--yes", "--world", world, *options).end()
    assert done.code == -9, f"{done.out}\n{done.err}"
    return world


def reaped(world, *options):
    done = colony("reap", "--world", world, "--format", "json", *options)
    return done, done.json[0]


@pytest.mark.parametrize(
    "kind, when", [(CLUSTER, "after"), ("kubernetes:helm.sh/v3:Release", "before")]
)
def test_killed_in_the_middle_of_up(tmp_path, kind, when):
    world = killed(tmp_path, faults=[{"op": "create", "type": kind, "kill": when}])
    assert left(world), "the kill came too early to prove anything"
    done, one = reaped(world)
    assert (done.code, one["action"], one["clean"]) == (0, "reap", True), done.err
    assert left(world) == []


def test_killed_in_the_middle_of_destroy(tmp_path):
    world = killed(tmp_path, faults=[{"op": "delete", "type": NODES, "kill": "before"}])
    done, one = reaped(world)
    assert (done.code, one["clean"]) == (0, True), done.err
    assert left(world) == []


def test_killed_while_the_job_runs(tmp_path):
    world, mark = tmp_path / "world", tmp_path / "mark"
    World.create(world).close()
    file = task(tmp_path, f"touch {mark}; sleep 300")
    Running("run", file, "--yes", "--exec", "--world", world).until(mark.exists).kill()
    assert left(world)
    done, one = reaped(world)
    assert (done.code, one["clean"]) == (0, True), done.err
    assert left(world) == []


def test_only_the_command_dies_and_the_engine_goes_on(tmp_path):
    """As after an out-of-memory kill: the CLI outlives its parent and still holds the lock."""
    world = tmp_path / "world"
    World.create(world, real_time=0.004, checkpoints=True).close()
    run = Running("run", task(tmp_path), "--yes", "--world", world)
    run.until(lambda: CLUSTER in ledger(world)).kill()
    done, one = reaped(world)
    assert (done.code, one["clean"]) == (0, True), done.err
    assert left(world) == []


def test_reaping_twice_is_reaping_once(tmp_path):
    world = killed(tmp_path, faults=[{"op": "create", "type": NODES, "kill": "after"}])
    assert reaped(world)[0].code == 0
    before = ledger(world)
    done, one = reaped(world)
    assert (done.code, one["action"]) == (0, "gone")
    assert ledger(world) == before


def test_without_the_drain_the_load_balancer_and_the_disk_are_left(tmp_path):
    world = tmp_path / "world"
    World.create(world, faults=[CONTROLLERS]).close()
    options = ("--yes", "--world", world, "--format", "json")
    done = colony("run", task(tmp_path), *options, "--without", "drain")
    assert done.code == 4
    kinds = sorted(thing["type"] for thing in done.json["billable_left"])
    assert len(kinds) == 2 and "Volume" in kinds[0] + kinds[1], kinds
    assert any("oad" in kind for kind in kinds), kinds
    assert [thing["id"] for thing in left(world)]
    listed = colony("sweep", "tiny", "--world", world, "--format", "json")
    assert (listed.code, len(listed.json["billable_left"])) == (4, 2)
    swept = colony("sweep", "tiny", "--world", world, "--yes", "--format", "json")
    assert (swept.code, left(world)) == (0, [])


def test_with_the_drain_they_are_gone(tmp_path):
    world = tmp_path / "world"
    World.create(world, faults=[CONTROLLERS]).close()
    done = colony("run", task(tmp_path), "--yes", "--world", world, "--format", "json")
    assert (done.code, left(world)) == (0, []), done.err


def test_without_the_sweep_the_leaked_create_is_left(tmp_path):
    world = killed(tmp_path, faults=[{"op": "create", "type": GATEWAY, "kill": "after"}])
    done, one = reaped(world, "--without", "sweep")
    assert (done.code, one["clean"]) == (4, False)
    assert [thing["type"] for thing in one["billable_left"]], "the leak is reported"
    assert left(world)
    assert reaped(world)[0].code == 0
    assert left(world) == []


def test_without_a_lease_the_reaper_refuses(tmp_path):
    fault = {"op": "create", "type": NODES, "kill": "after"}
    world = killed(tmp_path, "true", [fault], "--without", "lease")
    done, one = reaped(world)
    assert (done.code, one["action"]) == (4, "refuse")
    assert "no lease" in one["reason"]
    assert left(world), "it is not ours to touch"


CONTROLLERS = {
    **MADE_BY_THE_JOB,
    "objects": [each for each in MADE_BY_THE_JOB["objects"] if each["kind"] != "Ingress"],
}
"""What a job made by itself while it ran."""

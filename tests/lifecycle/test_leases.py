"""Leases made longer, colonies held, and the log of who did it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from colony_command import colony, ledger, task
from lifecycle_fakes import FakeGround

from colony.lifecycle.ground import records_of
from colony.lifecycle.reap import decide
from colony.lifecycle.run import _stays
from colony.lifecycle.simulated import Simulated
from colony.lifecycle.watch import Watched
from colony.rehearsal.world import World, left
from colony.storage.folder import Folder
from components.lease import Lease
from components.spec import BudgetAction, ColonySpec

HOUR = 3600
NODES = "aws:eks/nodeGroup:NodeGroup"


def pass_time(world, seconds):
    opened = World.open(world)
    opened.advance(seconds)
    opened.close()


def lines(world, op, kind):
    found = [json.loads(line) for line in ledger(world).splitlines()]
    return [line for line in found if line["op"] == op and line["type"] == kind]


def lease(expires=1000):
    return Lease(colony="c", stack="c", owner="me", created=0, expires=expires, end="down")


@pytest.mark.parametrize(
    "now, action",
    [(499, "wait"), (501, "reap"), (1001, "reap")],
)
def test_a_held_colony_waits_for_its_window_and_never_beyond_its_lease(now, action):
    done = {"outcome": "failed"}
    verdict = decide("c", lease(), done, None, now=now, idle="delete", kept_until=500)
    assert verdict.action == action
    assert decide("c", lease(expires=400), done, None, now=450, kept_until=500).action == "reap"


@pytest.mark.parametrize(
    "outcome, broke, until, stays",
    [
        ("failed", None, 500, True),
        ("succeeded", None, 500, True),
        ("failed", None, 99, False),
        ("failed", BudgetAction.KILL, 500, False),
        ("cancelled", None, 500, False),
    ],
)
def test_an_attached_run_leaves_a_held_colony_alone(tmp_path, outcome, broke, until, stays):
    ground = FakeGround()
    ground.storage, ground.clock = Folder(tmp_path), 100.0
    records_of(ground, "c").write("keep", {"until": until})
    plan = SimpleNamespace(spec=ColonySpec(name="c"))
    life = SimpleNamespace(ground=ground, plan=plan, stack="c")
    assert _stays(life, Watched({"j": outcome}, broke=broke)) is stays


@pytest.mark.engine
def test_a_longer_lease_counts_at_once_and_tags_follow_without_a_new_machine(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    assert colony("up", task(tmp_path), "--world", world).code == 0
    before = lines(world, "create", NODES)[-1]["tags"]["colony-expires"]
    done = colony("extend", "tiny", "--by", "2h", "--world", world, "--format", "json")
    assert (done.code, done.json["expires"]) == (0, int(before) + 2 * HOUR), done.err
    assert lines(world, "create", NODES)[-1]["tags"]["colony-expires"] == str(done.json["expires"])
    assert not [line for line in ledger(world).splitlines() if '"op": "delete"' in line]
    held = colony("keep", "tiny", "--for", "30h", "--world", world)
    assert (held.code, "tiny: kept until" in held.out) == (0, True), held.err
    assert ", in 30h00m00s" in held.out, "new tags on what is there take no time of making it"
    pass_time(world, 29 * HOUR)  # beyond what its file allowed, and beyond the extension
    early = colony("reap", "--world", world, "--format", "json").json[0]
    assert early["action"] == "wait", early
    assert "kept by `colony keep` for another 1h" in early["reason"]
    pass_time(world, HOUR + 60)
    late = colony("reap", "--world", world, "--format", "json")
    assert (late.code, late.json[0]["reason"]) == (0, "its lease has expired")
    assert left(world) == []
    log = colony("history", "tiny", "--world", world, "--format", "json").json
    told = [event["what"] for event in log["events"]]
    assert told == ["leased", "up", "extended", "held", "ending", "ended"]
    assert [event["at"] for event in log["events"]] == sorted(e["at"] for e in log["events"])
    assert [receipt["clean"] for receipt in log["receipts"]] == [True]
    assert [receipt["ledger"]["agrees"] for receipt in log["receipts"]] == [True], log
    [receipt] = log["receipts"]
    told = [event["at"] for event in receipt["events"]]
    assert told and max(told) <= receipt["virtual_seconds"], "seconds of its life, not of the clock"


@pytest.mark.engine
def test_an_up_of_what_is_there_takes_no_time_and_makes_nothing(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    first = colony("up", task(tmp_path), "--world", world)
    assert "created Cluster" in first.out, first.err
    again = colony("up", task(tmp_path), "--world", world)
    assert (again.code, "created" in again.out) == (0, False), again.out
    up = [e["at"] for e in colony("history", "tiny", "--world", world, "--format", "json")
          .json["events"] if e["what"] == "up"]  # fmt: skip
    assert len(up) == 2 and up[0] == up[1]
    made = colony("keep", "tiny", "--for", "2h", "--world", world, "--format", "json").json
    assert made["kept_until"] == up[1] + 2 * HOUR


@pytest.mark.engine
def test_a_name_that_is_used_again_keeps_the_receipts_of_its_earlier_lives(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    for _ in range(2):
        done = colony("run", task(tmp_path), "--yes", "--world", world)
        assert done.code == 0, done.err
    lives = colony("history", "--world", world, "--format", "json").json
    assert [life["outcome"] for life in lives] == ["succeeded", "succeeded"]
    assert lives[0]["created"] < lives[1]["created"]
    text = colony("history", "tiny", "--world", world)
    assert (text.out.count("completed"), text.out.count("the ledger agrees")) == (2, 2), text.out
    gone = colony("extend", "tiny", "--by", "1h", "--world", world)
    assert (gone.code, "not there any more" in gone.err) == (2, True)
    typo = colony("extend", "tinny", "--by", "1h", "--world", world)
    assert (typo.code, "did you mean tiny" in typo.err) == (2, True)
    unit = colony("keep", "tiny", "--for", "2 fortnights", "--world", world)
    assert (unit.code, "--for" in unit.err) == (2, True)


@pytest.mark.engine
def test_the_ledger_agrees_with_the_receipt_of_a_run_that_went_wrong(tmp_path):
    world, faults = tmp_path / "world", tmp_path / "faults.yaml"
    refused = {"type": "aws:eks/nodeGroup:*", "error": "capacity", "times": 1, "nodes": 1}
    slow = {"op": "delete", "type": "aws:eks/cluster:*", "slow": "900.5"}
    faults.write_text(json.dumps({"faults": [{"op": "create", **refused}, slow]}))
    done = colony("rehearse", task(tmp_path), "--faults", faults, "--report", world)
    assert left(world) == [], done.err
    log = colony("history", "tiny", "--world", world, "--format", "json").json
    (receipt,) = log["receipts"]
    assert receipt["ledger"]["agrees"], (receipt["ledger"], receipt["cost"])
    assert receipt["cost"]["total"] > 0


@pytest.mark.engine
def test_a_run_that_died_before_its_lease_does_not_reopen_the_life_before(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    assert colony("run", task(tmp_path), "--yes", "--world", world).code == 0
    before = colony("history", "tiny", "--world", world, "--format", "json").json
    with Simulated(World.open(world)) as ground:
        assert ground.engine.select("tiny")  # the last thing that the killed run did
        records_of(ground, "tiny").remove("receipt")
    pass_time(world, 48 * HOUR)
    reaped = colony("reap", "--yes", "--world", world)
    assert (reaped.code, left(world)) == (0, []), reaped.err
    after = colony("history", "tiny", "--world", world, "--format", "json").json
    assert after["receipts"] == before["receipts"]
    again = colony("reap", "--yes", "--world", world, "--format", "json").json
    assert [each["action"] for each in again] == ["gone"]
    assert colony("run", task(tmp_path), "--yes", "--world", world).code == 0

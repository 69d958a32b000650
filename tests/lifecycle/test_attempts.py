"""Refusals through the real engine, in a simulated world: what is tried next, and what it costs."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from colony_command import colony, ledger, task

from colony.rehearsal.world import World, left

pytestmark = pytest.mark.engine

GPUS = {"op": "create", "type": "aws:eks/nodeGroup:*", "urn": "*a10g*"}


def lived(tmp_path, faults, *more, quotas=(), **options):
    """One rehearsal; its incident must replay to the same decisions."""
    world, file = tmp_path / "world", tmp_path / "faults.yaml"
    file.write_text(json.dumps({"faults": faults, "quotas": list(quotas)}))
    done = colony(
        "rehearse", task(tmp_path, **options), "--faults", file, "--format", "json",
        "--report", world, *more,
    )  # fmt: skip
    assert left(world) == [], done.err
    again = colony("replay", world / "incident.jsonl", "--format", "json")
    assert (again.code, again.json["difference"]) == (0, ""), again.out
    result = done.json
    cost, wasted = result["cost"], result["failed_attempts"]
    assert round(sum(cost["parts"].values()), 4) == cost["total"]
    failed = [line for line in result["attempts"] if line["result"] == "failed"]
    assert wasted["usd"] == pytest.approx(sum(line["usd"] for line in failed), abs=1e-4)
    assert wasted["usd"] <= cost["total"] + 0.001
    receipt = json.loads((world / "state/.colony/colony/tiny/receipt.json").read_text())
    assert receipt["attempts"] == result["attempts"]
    return done, result["attempts"]


def cells(attempts):
    return [(each["region"], each["zone"], each["code"]) for each in attempts]


def test_a_region_wide_quota_costs_exactly_one_attempt(tmp_path):
    done, attempts = lived(tmp_path, [{**GPUS, "region": "us-east-1", "error": "quota"}])
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    first, second = attempts
    assert (first["region"], first["kind"], first["reach"]) == ("us-east-1", "quota", "family")
    assert first["usd"] > 0 and first["node_seconds"] > 0
    assert first["at"] + 3600 < first["until"] < second["at"] + 3600
    assert (second["result"], second["code"]) == ("provisioned", "")
    assert second["region"] != "us-east-1"
    lines = [json.loads(line) for line in ledger(tmp_path / "world").splitlines()]
    gone = {line["id"] for line in lines if line["op"] == "delete"}
    assert gone >= {line["id"] for line in lines if line["op"] == "create"}
    path = tmp_path / "world" / "incident.jsonl"
    path.write_text(path.read_text().replace("VcpuLimitExceeded", "InsufficientFreeAddresses"))
    again = colony("replay", path)
    assert (again.code, "line 5" in again.out) == (1, True), again.out


def test_a_stock_out_in_three_zones_then_success_with_half_a_gang_released_each_time(tmp_path):
    fault = {**GPUS, "region": "us-east-1", "error": "capacity", "times": 3, "nodes": 1}
    done, attempts = lived(tmp_path, [fault], "--provision-timeout", "3h")
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert cells(attempts)[:3] == [
        ("us-east-1", f"us-east-1{letter}", "InsufficientInstanceCapacity") for letter in "abc"
    ]
    assert attempts[3]["result"] == "provisioned"
    pools = [
        json.loads(line)
        for line in ledger(tmp_path / "world").splitlines()
        if "a10g" in line and '"op": "bill"' in line
    ]
    assert len(pools) == 4, "three halves and the whole"
    ends = sorted((pool["from"], pool["to"]) for pool in pools)
    assert all(one[1] <= other[0] for one, other in pairwise(ends))


def test_a_credential_error_stops_at_once(tmp_path):
    done, attempts = lived(tmp_path, [{**GPUS, "error": "credentials"}])
    assert (done.code, done.json["outcome"]) == (3, "failed"), done.err
    (attempt,) = attempts
    assert (attempt["kind"], attempt["code"]) == ("credential", "ExpiredTokenException")
    assert "security token" in done.json["reason"]


def test_a_throttle_is_asked_again_and_blocks_nothing(tmp_path):
    done, attempts = lived(tmp_path, [{**GPUS, "error": "throttling", "times": 2}])
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert [each["kind"] for each in attempts] == ["throttle", "throttle", ""]
    assert {each["until"] for each in attempts} == {None}
    assert len({(each["region"], each["zone"]) for each in attempts}) == 1


def test_a_quota_that_the_world_tells_is_refused_before_any_attempt(tmp_path):
    quota = {"region": "us-east-1", "instance": "g5*", "nodes": 1}
    done, attempts = lived(tmp_path, [], quotas=[quota])
    assert done.code == 0, done.err
    (attempt,) = attempts
    assert attempt["region"] != "us-east-1"


def test_a_quota_that_nobody_tells_is_met(tmp_path):
    quota = {"region": "us-east-1", "instance": "g5*", "nodes": 1, "told": False}
    done, attempts = lived(tmp_path, [], quotas=[quota])
    assert (done.code, [each["kind"] for each in attempts]) == (0, ["quota", ""]), done.err


def test_up_goes_on_to_the_next_region_and_down_leaves_nothing(tmp_path):
    world = tmp_path / "world"
    fault = {**GPUS, "region": "us-east-1", "error": "quota"}
    World.create(world, faults={"faults": [fault]}).close()
    done = colony("up", task(tmp_path), "--world", world, "--format", "json")
    assert done.code == 0, done.err
    assert done.json["clusters"]["main"]["region"] != "us-east-1"
    assert "failed attempts: $" in done.err
    assert colony("down", "tiny", "--world", world).code == 0
    assert left(world) == []

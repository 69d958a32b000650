"""Twenty budgets through the real engine: the same decisions as the model, and the same money."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml
from colony_command import colony

from colony.lifecycle.model import Course, Place, live
from colony.rehearsal.world import World, left
from components.spec import Budget

pytestmark = pytest.mark.engine

POLL = 5.0
DRAINING = 360.0


def _case(seed):
    chance = random.Random(f"engine budget {seed}")
    usd = round(chance.uniform(1.5, 7.0), 2)
    return usd, chance.choice(["drain", "kill"]), chance.randint(1, 5) * 1800


def _modelled(receipt, usd, action, work):
    """The model's life in the world that the engine's was in."""
    at = {event["what"]: event["at"] for event in receipt["events"] if not event["urn"]}
    parts = receipt["cost"]["parts"]
    running = at["job train running"]
    begun = at.get("job train pending", running)  # its image may be there before it
    ended = at.get("job train succeeded") or _drained_at(receipt)
    per_hour = parts["running"] / (ended - running) * 3600
    base = parts["provisioning"] / begun * 3600
    place = Place(
        "here",
        nodes_per_hour=per_hour - base,
        base_per_hour=base,
        cluster=begun,
        nodes=0,
        pulling=running - begun,
        draining=parts["draining"] / per_hour * 3600,
    )
    budget = Budget(usd=usd, action=action)
    course = Course(work=work, saves=0.0, budget=budget, draining=DRAINING, poll=POLL)
    return place, live([place], course, lambda _: float("inf"))


def _drained_at(receipt):
    deleted = [event["at"] for event in receipt["events"] if event["what"] == "deleted"]
    return min(deleted)


@pytest.mark.parametrize("seed", range(20))
def test_a_budget_ends_a_life_where_the_model_says(tmp_path, seed):
    usd, action, work = _case(seed)
    file, world = Path(tmp_path, "colony.yaml"), tmp_path / "world"
    job = {"name": "train", "resources": {"accelerators": "A10G:1"}, "nodes": 2, "run": "true",
           "expected_run_time": work}  # fmt: skip
    body = {"apiVersion": "colony/v1", "kind": "Colony", "name": "broke", "jobs": [job],
            "budget": {"usd": usd, "action": action}}  # fmt: skip
    file.write_text(yaml.safe_dump(body))
    done = colony("rehearse", file, "--seed", seed, "--format", "json", "--report", world)
    receipt = done.json
    assert left(world) == [], done.err
    place, modelled = _modelled(receipt, usd, action, work)
    decision = receipt["budget"]["ended_by"] or receipt["outcome"]
    assert [decision] == modelled.decisions, (usd, action, work)
    assert receipt["outcome"] == modelled.outcome
    assert receipt["cost"]["total"] <= usd + place.per_hour * POLL / 3600
    if decision != "succeeded":
        assert f"of ${usd:,.2f} ({action})" in receipt["reason"]


def _raised(tmp_path, **bounds):
    file, world = Path(tmp_path, "colony.yaml"), tmp_path / "world"
    job = {"name": "train", "resources": {"accelerators": "A10G:1"}, "nodes": 2, "run": "true",
           "expected_run_time": "20h"}  # fmt: skip
    body = {"apiVersion": "colony/v1", "kind": "Colony", "name": "broke", "jobs": [job],
            **bounds}  # fmt: skip
    file.write_text(yaml.safe_dump(body))
    World.create(world).close()
    up = colony("up", file, "--yes", "--world", world)
    assert up.code == 0, up.err
    return world


def test_the_reaper_ends_what_has_spent_its_budget_and_nothing_before(tmp_path):
    world = _raised(tmp_path, budget={"usd": 4, "action": "drain"})
    (row,) = colony("status", "--world", world, "--format", "json").json
    assert 0 < row["spent"] < row["projected"] == row["worst"] < 4.1
    assert row["budget"] == {"usd": 4.0, "action": "drain"}
    assert colony("reap", "--world", world, "--format", "json").json[0]["action"] == "wait"
    World.open(world).advance(2 * 3600)
    (reaped,) = colony("reap", "--world", world, "--format", "json").json
    assert (reaped["action"], reaped["clean"]) == ("reap", True)
    assert "of $4.00 (drain)" in reaped["reason"]
    assert left(world) == []
    paid = colony("history", "broke", "--world", world, "--format", "json").json
    parts = paid["receipts"][-1]["cost"]["parts"]
    assert parts["running"] > max(parts["provisioning"], parts["draining"]) > 0


def _said(world, signal):
    """The agent's word."""
    opened = World.open(world)
    (cluster,) = [t for t in opened.inventory() if t["type"] == "aws:eks/cluster:Cluster"]
    arn = opened.thing(cluster["id"])["outputs"]["arn"]
    (agent,) = [
        each
        for each in opened.objects(arn, "ConfigMap")
        if each["metadata"]["name"] == "colony-agent"
    ]
    said = {"name": "colony-agent-idle", "namespace": agent["metadata"]["namespace"]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": said, "data": {"signal": signal}}
    opened.put_object(arn, body)


def _reaped(world):
    (reaped,) = colony("reap", "--world", world, "--format", "json").json
    return reaped


def _machines(world):
    """Names of the pools that are paid for."""
    return sorted(
        thing["urn"].rsplit("::", 1)[-1]
        for thing in World.open(world).inventory()
        if "nodeGroup" in thing["type"]
    )


def test_an_idle_colony_loses_its_machines_and_keeps_the_rest(tmp_path):
    world = _raised(tmp_path, idle={"stop": "30m", "delete": "20h"})
    pools, (before,) = _machines(world), colony("status", "--world", world, "--format", "json").json
    _said(world, "stop")
    assert (_reaped(world)["action"], _reaped(world)["action"]) == ("stop", "wait")
    assert (pools, _machines(world)) == (["broke-main-a10g-1", "broke-main-system"],
                                         ["broke-main-system"])  # fmt: skip
    (after,) = colony("status", "--world", world, "--format", "json").json
    assert after["usd_per_hour"] < before["usd_per_hour"] / 4
    World.open(world).advance(10 * 3600)
    (later,) = colony("status", "--world", world, "--format", "json").json
    kept = later["spent"] - after["spent"]
    assert 10 * after["usd_per_hour"] < kept < 2 * before["usd_per_hour"], "ten hours"


def test_the_next_up_brings_back_the_machines_of_a_stopped_colony(tmp_path):
    world = _raised(tmp_path, idle={"stop": "30m", "delete": "20h"})
    pools, (before,) = _machines(world), colony("status", "--world", world, "--format", "json").json
    _said(world, "stop")
    assert _reaped(world)["action"] == "stop"
    (later,) = colony("status", "--world", world, "--format", "json").json
    up = colony("up", tmp_path / "colony.yaml", "--yes", "--world", world)
    assert (up.code, _machines(world)) == (0, pools), up.err
    World.open(world).advance(3600)
    (again,) = colony("status", "--world", world, "--format", "json").json
    assert again["usd_per_hour"] == before["usd_per_hour"]
    one = again["spent"] - later["spent"]
    assert before["usd_per_hour"] < one < 2 * before["usd_per_hour"], "one hour, and the coming up"


def test_the_reaper_ends_what_the_agent_says_is_idle(tmp_path):
    world = _raised(tmp_path, idle={"delete": "30m", "wait_for": "jobs"})
    assert _reaped(world)["action"] == "wait"
    _said(world, "delete")
    reaped = _reaped(world)
    assert (reaped["action"], reaped["clean"]) == ("reap", True), reaped
    assert reaped["reason"].startswith("idle: nobody used it")
    assert left(world) == []

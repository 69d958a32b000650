from __future__ import annotations

import json

import pytest
from colony_command import colony

from colony.lifecycle.keeping import keeps
from colony.rehearsal.world import World, left
from components.spec import ColonySpec, Teardown

OUTCOMES = ("succeeded", "failed", "timed_out", "cancelled")


@pytest.mark.parametrize(
    "teardown, kept",
    [
        ({"when": "always"}, ()),
        ({"when": "success"}, ("failed", "timed_out")),
        ({"when": "failure"}, ("succeeded",)),
        ({"when": "never"}, ("succeeded", "failed", "timed_out")),
        ({"when": "always", "keep_on_failure": "30m"}, ("failed", "timed_out")),
        ({"when": "failure", "keep_on_failure": "30m"}, ("succeeded", "failed", "timed_out")),
    ],
)
def test_the_policy_decides_what_outlives_its_run(teardown, kept):
    spec = ColonySpec(name="c", teardown=Teardown.model_validate(teardown))
    assert tuple(outcome for outcome in OUTCOMES if keeps(spec, outcome)) == kept


@pytest.mark.engine
def test_a_failed_colony_is_kept_for_its_window_and_then_reaped(tmp_path):
    world = tmp_path / "world"
    file = tmp_path / "colony.yaml"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "colony/v1",
                "kind": "Colony",
                "name": "debug",
                "teardown": {"keep_on_failure": "30m"},
                "jobs": [{"name": "j", "run": "exit 3", "resources": {"accelerators": "A10G:1"}}],
            }
        )
    )
    done = colony("rehearse", file, "--exec", "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (4, "failed"), done.err
    assert done.json["billable_left"]
    early = colony("reap", "--world", world, "--format", "json").json[0]
    assert (early["action"], "kept" in early["reason"]) == ("wait", True)
    opened = World.open(world)
    opened.advance(30 * 60)
    opened.close()
    late = colony("reap", "--world", world, "--format", "json")
    assert (late.code, late.json[0]["action"]) == (0, "reap"), late.err
    assert left(world) == []

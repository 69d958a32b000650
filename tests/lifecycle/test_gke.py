"""A GKE colony in a simulated Google Cloud that has no room."""

from __future__ import annotations

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import left

pytestmark = pytest.mark.engine

POOL = {"op": "create", "type": "gcp:container/nodePool:NodePool", "urn": "*l4*"}


def lived(tmp_path, faults, **resources):
    world, file, task = (tmp_path / name for name in ("world", "faults.yaml", "task.yaml"))
    file.write_text(yaml.safe_dump({"faults": faults}))
    task.write_text(
        yaml.safe_dump(
            {
                "name": "tiny", "num_nodes": 2, "run": "true",
                "resources": {"accelerators": "L4:1", "cloud": "gcp", **resources},
            }
        )
    )  # fmt: skip
    done = colony(
        "rehearse", task, "--faults", file, "--format", "json", "--report", world,
        "--provision-timeout", "3h",
    )  # fmt: skip
    assert left(world) == [], done.err
    return done, done.json["attempts"]


def test_a_stock_out_in_a_zone_is_asked_for_in_the_next_one_and_nothing_is_left(tmp_path):
    fault = {**POOL, "error": "capacity", "times": 1, "nodes": 1}
    done, (first, second) = lived(tmp_path, [fault], region="us-central1")
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert (first["result"], first["kind"], first["reach"]) == ("failed", "capacity", "offer")
    assert first["usd"] > 0, "the one machine that came up"
    assert (second["result"], second["region"]) == ("provisioned", "us-central1")
    assert second["instance_type"] != first["instance_type"], "a region that chose the zone itself"

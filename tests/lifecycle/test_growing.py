"""A pool that grows in the file grows in place."""

from __future__ import annotations

import json

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import World, left

pytestmark = pytest.mark.engine


def test_a_second_up_with_more_nodes_keeps_the_cluster(tmp_path):
    """A gang is bought in one zone, so its cluster may span more subnets: EKS takes them as it is
    (https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html)."""
    world = tmp_path / "world"
    World.create(world).close()
    for nodes in (1, 2):
        pools = [{"name": "gpus", "accelerators": "A10G:1", "nodes": nodes}]
        cluster = {"name": "main", "cloud": "aws", "region": "us-east-1", "pools": pools}
        head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "grow", "clusters": [cluster]}
        file = tmp_path / "grow.yaml"
        file.write_text(yaml.safe_dump(head))
        up = colony("up", file, "--world", world)
        assert up.code == 0, up.err
    lines = [json.loads(line) for line in (world / "journal.jsonl").read_text().splitlines()]
    gone = {line["urn"].split("::")[-1] for line in lines if line.get("op") == "delete"}
    assert not {"grow-main-eks", "grow-main-kueue", "grow-main-vpc"} & gone
    assert colony("down", "grow", "--world", world).code == 0
    assert left(world) == []

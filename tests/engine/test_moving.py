"""Other regions in a stack's config, and plain `pulumi up`: the engine replaces whole clusters, and
what was in the old ones goes with them, not through a kubeconfig that leads nowhere any more."""

import json

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import World, left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

REGIONS = {"eastus": "westus2", "us-central1": "us-east4"}
PLACED = {
    "azure-native:resources:ResourceGroup",
    "azure-native:containerservice:ManagedCluster",
    "azure-native:containerservice:AgentPool",
    "gcp:compute/subnetwork:Subnetwork",
    "gcp:container/cluster:Cluster",
    "gcp:container/nodePool:NodePool",
}
POOLS = {"azure": "A100-80GB:1", "gcp": "L4:1"}


def written(path):
    clusters = [
        {"name": cloud, "cloud": cloud, "region": region,
         "access": {"cidrs": ["203.0.113.7/32"]},
         "pools": [{"name": "gpus", "accelerators": POOLS[cloud], "nodes": 1}]}
        for cloud, region in zip(POOLS, REGIONS, strict=True)
    ]  # fmt: skip
    head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "tiny", "clusters": clusters}
    jobs = [
        {"apiVersion": "colony/v1", "kind": "Job", "name": f"on-{cloud}", "colony": "tiny",
         "resources": {"accelerators": POOLS[cloud]}, "run": "nvidia-smi"}
        for cloud in POOLS
    ]  # fmt: skip
    path.write_text(yaml.safe_dump_all([head, *jobs]))
    return path


def errors(world):
    lines = map(json.loads, (world.dir / "journal.jsonl").read_text().splitlines())
    return [line["error"] for line in lines if line.get("error")]


def test_the_engine_alone_moves_clusters_of_two_clouds_with_what_is_in_them(tmp_path, repeat):
    world = World.create(tmp_path / "world")
    up = colony("up", written(tmp_path / "tiny.yaml"), "--world", world.dir)
    assert up.code == 0, up.err
    before = {line["id"] for line in left(world.dir)}
    config = world.project_dir / "stacks" / "Pulumi.tiny.yaml"
    text = config.read_text()
    for old, new in REGIONS.items():
        text = text.replace(old, new)
    config.write_text(text)

    pulumi = repeat(world)
    pulumi("up", "--yes", "--skip-preview", "--continue-on-error")
    assert errors(world) == []
    # what Google has in no region stays: the network, and whom the nodes are
    stayed = {line["type"] for line in left(world.dir) if line["id"] in before}
    assert stayed.isdisjoint(PLACED)
    pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")

    pulumi("destroy", "--yes", "--skip-preview", "--continue-on-error")
    assert left(world.dir) == []
    world.stop()

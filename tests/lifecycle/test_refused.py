"""What is let go of a pool that a cloud refused, and the documented shortage, lived through."""

import pytest
from colony_command import colony

from colony.lifecycle.refused import of_pools
from components.placement import ClusterPlacement

KIND = "urn:pulumi:s::colony::colony:index:Colony$colony:index:EksCluster"
CLUSTER = ClusterPlacement.model_validate(
    {
        "name": "main", "cloud": "aws", "region": "us-east-1",
        "pools": [
            {"name": name, "instance_type": "p5.48xlarge", "nodes": 2, "cpus": 192,
             "memory_gib": 2048, "price_per_node_hour": 55.0}
            for name in ("system", "h100-8")
        ],
    }
)  # fmt: skip


def resource(kind, name, *needs):
    return {
        "urn": f"{KIND}${kind}::{name}", "custom": True, "parent": f"{KIND}::s-main",
        "dependencies": [each["urn"] for each in needs],
    }  # fmt: skip


def test_what_a_pool_is_made_of_goes_together():
    cluster = resource("aws:eks/cluster:Cluster", "s-main-eks")
    group = resource("aws:ec2/placementGroup:PlacementGroup", "s-main-h100-8")
    template = resource("aws:ec2/launchTemplate:LaunchTemplate", "s-main-h100-8-nodes", group)
    shared = resource("aws:ec2/launchTemplate:LaunchTemplate", "s-main-nodes")
    system = resource("aws:eks/nodeGroup:NodeGroup", "s-main-system", cluster, shared)
    whole = {"urn": f"{KIND}::s-main", "custom": False}
    state = {"resources": [whole, cluster, group, template, shared, system]}
    assert of_pools("s", CLUSTER, ["h100-8"], state) == [group, template]
    assert of_pools("s", CLUSTER, ["system"], state) == [system]


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_documented_shortage_is_met_in_zone_after_zone(checkout):
    task, faults = checkout / "examples/task.yaml", checkout / "docs/no-capacity.yaml"
    done = colony("rehearse", task, "--faults", faults, "--format", "json")
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert "nothing could be had" in done.json["reason"]
    assert len(done.json["attempts"]) > 1
    assert done.json["billable_left"] == done.json["also_left"] == []

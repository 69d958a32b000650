"""An AKS colony's whole life in a simulated Azure: what it makes, what it refuses, what is left."""

import json

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import World, left

pytestmark = pytest.mark.engine

POOL = {"name": "h100", "accelerators": "H100:8", "nodes": 4}


def colony_file(folder, **pool):
    cluster = {"name": "main", "cloud": "azure", "pools": [{**POOL, **pool}]}
    job = {
        "name": "train", "framework": "pytorch", "run": "torchrun train.py", "nodes": 4,
        "resources": {"accelerators": "H100:8"},
        "outputs": [{"path": "out", "to": "az://acct/results/runs"}],
    }  # fmt: skip
    head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "az"}
    path = folder / "az.yaml"
    path.write_text(yaml.safe_dump({**head, "clusters": [cluster], "jobs": [job]}))
    return path


def journal(world):
    return [json.loads(line) for line in (world / "journal.jsonl").read_text().splitlines()]


def test_a_gang_of_four_runs_on_aks_and_nothing_is_left(tmp_path):
    world = tmp_path / "world"
    done = colony("rehearse", colony_file(tmp_path), "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["billable_left"] == left(world) == []
    made = {entry["type"] for entry in journal(world) if entry.get("op") == "create"}
    assert {
        "azure-native:resources:ResourceGroup",
        "azure-native:containerservice:ManagedCluster",
        "azure-native:containerservice:AgentPool",
        "azure-native:compute:ProximityPlacementGroup",
        "azure-native:authorization:RoleAssignment",
        "azure-native:authorization:RoleDefinition",
        "azure-native:managedidentity:UserAssignedIdentity",
        "azure-native:managedidentity:FederatedIdentityCredential",
    } <= made


def test_what_a_quota_refuses_is_told_in_azures_words_and_all_goes(tmp_path):
    faults = tmp_path / "faults.yaml"
    pools = {"type": "azure-native:containerservice:AgentPool", "error": "quota", "times": "always"}
    faults.write_text(yaml.safe_dump({"faults": [{"op": "create", **pools}]}))
    world = tmp_path / "world"
    args = ("--faults", faults, "--format", "json", "--report", world)
    done = colony("rehearse", colony_file(tmp_path), *args)
    assert done.code != 0
    assert done.json["outcome"] != "succeeded"
    assert "InsufficientVCPUQuota" in json.dumps(done.json) + done.err
    assert left(world) == []


def test_a_pool_without_capacity_is_there_and_failed_and_goes_with_its_cluster(tmp_path):
    faults = tmp_path / "faults.yaml"
    pools = {"type": "azure-native:containerservice:AgentPool", "error": "capacity"}
    faults.write_text(yaml.safe_dump({"faults": [{"op": "create", "times": "always", **pools}]}))
    world = tmp_path / "world"
    done = colony("rehearse", colony_file(tmp_path), "--faults", faults, "--report", world)
    assert done.code != 0
    assert left(world) == []


def test_an_up_that_azure_does_not_let_in_says_so_in_one_line_and_the_next_goes_on(tmp_path):
    world = tmp_path / "world"
    plane = {"type": "azure-native:containerservice:ManagedCluster", "error": "credentials"}
    World.create(world, faults={"faults": [{"op": "create", "times": 1, **plane}]}).close()
    file = colony_file(tmp_path)
    done = colony("up", file, "--world", world)
    assert (done.code, done.err.count("\n")) == (3, 1), "and nothing of the SDK's own"
    assert "ExpiredAuthenticationToken" in done.err
    assert "ready 0 of 1: main (NotAuthorized); what is up stays: `colony up` again" in done.err
    assert colony("up", file, "--world", world).code == 0
    assert colony("down", "az", "--world", world).code == 0
    assert left(world) == []


def test_an_ability_that_aks_lacks_is_refused_with_its_path(tmp_path):
    done = colony("rehearse", colony_file(tmp_path, image="beos"))
    assert done.code == 2
    assert "clusters[0].pools[0].image" in done.err + done.out

"""A colony on three clouds and on machines of one's own: what one refuses, the others do not feel.

Each of these lives takes the real engine some seconds: a colony of four clusters has 150 resources.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from colony_command import colony, ledger

from colony.rehearsal.world import World, left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "several.yaml"
NAMES = ["eks", "aks", "gke", "lab"]
CLUSTER = {
    "eks": "aws:eks/cluster:Cluster",
    "aks": "azure-native:containerservice:ManagedCluster",
    "gke": "gcp:container/cluster:Cluster",
}
POOL = {
    "eks": "aws:eks/nodeGroup:NodeGroup",
    "aks": "azure-native:containerservice:AgentPool",
    "gke": "gcp:container/nodePool:NodePool",
}


def fault(type_, error, op="create", urn="*"):
    return {"op": op, "type": type_, "urn": urn, "error": error, "times": 1}


def made(tmp_path, faults):
    world = tmp_path / "world"
    World.create(world, faults={"faults": faults}).close()
    return world


def written(path, names=NAMES, jobs=True):
    """The example with these clusters, and the jobs on them."""
    head, *rest = yaml.safe_load_all(EXAMPLE.read_text())
    head["clusters"] = [each for each in head["clusters"] if each["name"] in names]
    head["clusters"] = [
        {**each, "access": {"cidrs": ["203.0.113.7/32"]}} if each["name"] in CLUSTER else each
        for each in head["clusters"]
    ]
    kept = [job for job in rest if jobs and job["name"].removeprefix("on-") in names]
    path.write_text(yaml.safe_dump_all([head, *kept]))
    return path


def status(world):
    (row,) = colony("status", "wide", "--world", world, "--format", "json").json
    return row["phase"], row["clusters"]


def reasons(clusters):
    return {name: each["reason"] for name, each in clusters["clusters"].items() if each["reason"]}


def operations(world, op):
    lines = [json.loads(line) for line in (world / "journal.jsonl").read_text().splitlines()]
    return [line["urn"] for line in lines if line.get("op") == op and "urn" in line]


def test_four_clouds_live_at_once_with_a_job_on_each_and_nothing_is_left(tmp_path):
    world = tmp_path / "world"
    done = colony("rehearse", EXAMPLE, "--format", "json", "--report", world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert {name: job["outcome"] for name, job in done.json["jobs"].items()} == {
        f"on-{name}": "succeeded" for name in NAMES
    }
    assert done.json["billable_left"] == left(world) == []
    created = {line["type"] for line in map(json.loads, ledger(world).splitlines())}
    assert set(CLUSTER.values()) | set(POOL.values()) <= created


def test_one_cloud_refuses_and_the_others_go_on_until_one_is_dropped_and_all_is_gone(tmp_path):
    world = made(tmp_path, [fault(CLUSTER["gke"], "quota")])
    file = written(tmp_path / "wide.yaml")
    refused = colony("up", file, "--world", world)
    assert (refused.code, "GPUS_ALL_REGIONS" in refused.err) == (1, True), refused.err
    assert "`colony up` again goes on from it, `colony down wide` ends it" in refused.err
    (row,) = colony("status", "wide", "--world", world, "--format", "json").json
    now, whole = row["usd_per_hour_now"], row["usd_per_hour"]
    assert 0 < now < whole
    assert f"what is up stays, at ${now:.2f} per hour: " in refused.err
    assert f"{now:.2f} of {whole:.2f}" in colony("status", "wide", "--world", world).out
    phase, clusters = status(world)
    assert (phase, clusters["summary"]) == ("Degraded", "ready 3 of 4: gke (QuotaExceeded)")
    for name in ("eks", "aks"):
        config = colony("kubeconfig", "wide", "--cluster", name, "--world", world)
        assert (config.code, "exec" in config.out) == (0, True), config.err
    started = {urn.split("::")[-1] for urn in operations(world, "create")}
    assert {f"wide-on-{name}-jobset-on-{name}" for name in ("eks", "aks", "lab")} <= started

    repaired = colony("up", file, "--world", world)
    assert repaired.code == 0, repaired.err
    assert "created Cluster wide-gke-gke" in repaired.out
    assert "Cluster wide-eks" not in repaired.out, "it was there, and takes no time again"
    assert status(world)[0] == "Ready"
    assert operations(world, "delete") == []

    fewer = written(tmp_path / "fewer.yaml", [name for name in NAMES if name != "gke"])
    dropped = colony("up", fewer, "--world", world)
    assert dropped.code == 0, dropped.err
    (line,) = [each for each in dropped.out.splitlines() if "deleted Cluster wide-gke-gke" in each]
    assert line.split()[0] != "0s" and " created " not in dropped.out
    phase, clusters = status(world)
    assert (phase, clusters["summary"]) == ("Ready", "ready 3 of 3")
    gone = operations(world, "delete")
    assert gone and all("gcp:" in urn for urn in gone), "what is in a cluster goes with it"
    there = {line["type"] for line in left(world)}
    assert CLUSTER["eks"] in there and CLUSTER["aks"] in there
    assert not any(type_.startswith("gcp:") for type_ in there)

    ended = colony("down", "wide", "--world", world)
    assert ended.code == 0
    (line,) = [each for each in ended.out.splitlines() if "deleted Cluster wide-eks-eks" in each]
    assert line.split()[0].startswith("1h"), "of its life, not of the epoch"
    assert left(world) == []
    log = colony("history", "wide", "--world", world).out
    assert "2026-01-01 00:00:00Z   leased   rehearsal" in log


ROUNDS = [
    pytest.param(
        [fault(CLUSTER["eks"], "quota"), fault(POOL["aks"], "capacity"),
         fault(CLUSTER["gke"], "taken"),
         fault("command:remote:Command", "unreachable", urn="*10-0-0-2-k3s")],
        1, {"eks": "QuotaExceeded", "aks": "NoCapacity", "gke": "Refused", "lab": "HostFailed"},
        id="quota, capacity, name taken, host off",
    ),
    pytest.param(
        [fault(CLUSTER["eks"], "taken"), fault(CLUSTER["aks"], "quota"),
         fault(POOL["gke"], "capacity", urn="*gpus*"),
         fault("command:remote:Command", "in_use", urn="*-server")],
        1, {"eks": "Refused", "aks": "QuotaExceeded", "gke": "NoCapacity", "lab": "Refused"},
        id="name taken, quota, stock-out, host in use",
    ),
    pytest.param(
        [fault("aws:ec2/vpc:Vpc", "credentials"), fault(CLUSTER["aks"], "eventual"),
         fault("gcp:compute/network:Network", "throttling")],
        3, {"eks": "NotAuthorized", "aks": "Throttled", "gke": "Throttled"},
        id="credential, not known yet, throttled",
    ),
    pytest.param(
        [fault("aws:eks/cluster:Cluster", "eventual"), fault(POOL["aks"], "throttling"),
         fault("gcp:projects/iAMMember:IAMMember", "eventual"),
         fault("aws:ec2/subnet:Subnet", "dependency", "delete"),
         fault("azure-native:resources:ResourceGroup", "dependency", "delete", "*wide-aks"),
         fault("gcp:compute/network:Network", "dependency", "delete")],
        0, {},
        id="asked again at once; interfaces that linger at the end",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("faults", "code", "expected"), ROUNDS)
def test_each_clouds_own_faults_are_its_own_and_the_next_up_repairs(
    tmp_path, faults, code, expected
):
    world, file = made(tmp_path, faults), written(tmp_path / "wide.yaml", jobs=False)
    first = colony("up", file, "--world", world)
    assert first.code == code, first.err
    phase, clusters = status(world)
    assert (reasons(clusters), phase) == (expected, "Degraded" if expected else "Ready")
    assert clusters["ready"] == len(NAMES) - len(expected)
    if expected:
        again = colony("up", file, "--world", world)
        assert (again.code, status(world)[0]) == (0, "Ready"), again.err
    down = colony("down", "wide", "--world", world)
    assert (down.code, left(world)) == (0, []), down.err


def test_one_cluster_of_several_is_moved_and_its_neighbour_stays(tmp_path):
    world = made(tmp_path, [fault(POOL["eks"], "quota", urn="*wide-moves-gpus*")])
    pools = [{"name": "gpus", "accelerators": "A10G:1", "nodes": 1}]
    clusters = [
        {"name": "stays", "cloud": "aws", "region": "us-east-1", "pools": pools},
        {"name": "moves", "cloud": "aws", "pools": pools},
    ]
    file = tmp_path / "wide.yaml"
    head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "wide", "clusters": clusters}
    file.write_text(yaml.safe_dump(head))
    up = colony("up", file, "--world", world, "--format", "json")
    assert up.code == 0, up.err
    assert "releasing what was made there" in up.err
    (row,) = colony("status", "wide", "--world", world, "--format", "json").json
    assert row["clusters"]["summary"] == "ready 2 of 2"
    assert 0 < row["spent"] < row["projected"] == row["worst"], "it lives as long as its lease"
    assert row["usd_per_hour_now"] == row["usd_per_hour"] > 0
    gone = {urn.split("::")[-1] for urn in operations(world, "delete")}
    assert {"wide-moves-eks", "wide-moves-vpc"} <= gone
    assert not any(name.startswith("wide-stays") for name in gone)
    planes = [urn for urn in operations(world, "create") if CLUSTER["eks"] in urn]
    assert len(planes) == 3, "the neighbour's once, its own twice"
    assert colony("down", "wide", "--world", world).code == 0
    assert left(world) == []

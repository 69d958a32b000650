"""Rehearsed: an `up` waits for nothing that it does not need, a `destroy` for no neighbour twice.

The longest chain is written down here by kinds, and the layers' part follows from their data; only
the seconds of each operation are the world's own.
"""

import json

import pytest
from colony_command import colony

import charts
from colony.lifecycle.spending import ending_of
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import ColonySpec

pytestmark = pytest.mark.engine

STAGES = {
    "aws": ["ec2/vpc:Vpc", "ec2/subnet:Subnet", "eks/cluster:Cluster", "kube-proxy",
            "eks/nodeGroup:NodeGroup"],
    "azure": ["resources:ResourceGroup", "containerservice:ManagedCluster"],
    "gcp": ["compute/network:Network", "container/cluster:Cluster", "container/nodePool:NodePool"],
    "existing": [],
}  # fmt: skip
"""By cloud: what must be there one after the other before nodes with accelerators are bought."""
BESIDE = {"aws": "coredns", "azure": "authorization:RoleAssignment"}
"""What must be there before anything can be installed, while those nodes are made."""
ACCELERATED = {
    "aws": "eks/nodeGroup:NodeGroup", "azure": "containerservice:AgentPool",
    "gcp": "container/nodePool:NodePool",
}  # fmt: skip
JOB = ["core/v1:Service", "JobSet::", "TrainJob::", "MPIJob::", "RayJob::", "v1alpha1:Job::"]


def pool(what, **more):
    return [{"name": "gpu", "accelerators": what, "nodes": 2, **more}]


CLUSTERS = {
    "eks-h100-efa": ({"cloud": "aws", "pools": pool("H100:8")}, "jobset"),
    "eks-l4": ({"cloud": "aws", "pools": pool("L4:4")}, "jobset"),
    "aks-a100-infiniband": (
        {"cloud": "azure", "pools": pool("A100-80GB:8", image="ubuntu-no-driver")}, "volcano",
    ),
    "gke-a3-cos": ({"cloud": "gcp", "pools": pool("H100:8")}, "jobset"),
    "gke-l4": ({"cloud": "gcp", "pools": pool("L4:4", image="ubuntu")}, "rayjob"),
    "cpu-only": ({"cloud": "aws"}, "mpijob"),
    "existing-with-gpu-operator": ({"cloud": "existing", "context": "mine"}, "jobset"),
}  # fmt: skip
"""The golden stacks, as files; on-prem's chain is the time of its hosts' installer."""


def document(cluster, backend, **more):
    what = cluster.get("pools", [{}])[0].get("accelerators")
    framework = {"mpijob": "mpi", "rayjob": "ray"}.get(backend, "pytorch")
    size = {"accelerators": what} if what else {"cpus": 8}
    job = {"name": "train", "run": "true", "backend": backend, "framework": framework, "nodes": 2}
    return {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "lab",
        "clusters": [{"name": "main", **cluster}],
        "jobs": [{**job, "resources": size}], **more,
    }  # fmt: skip


def rehearsed(folder, *args):
    file, world = folder / "colony.yaml", folder / "world"
    file.write_text(json.dumps(args[0]))
    done = colony("rehearse", file, "--format", "json", "--report", world, *args[1:])
    assert done.code == 0, done.err
    lines = map(json.loads, (world / "journal.jsonl").read_text().splitlines())
    took = {
        each["urn"]: each["seconds"]
        for each in lines
        if each["op"] == "create" and each.get("urn") and not each.get("error")
    }
    return done.json, took


def slowest(took, kind):
    return max((seconds for urn, seconds in took.items() if kind in urn), default=0)


def nodes_and_layers(cluster, took):
    """The longest chain of releases by what each needs, of those that jobs wait for: early ones
    while the nodes with accelerators are made, the others on them."""
    early = slowest(took, BESIDE.get(cluster["cloud"], "nothing"))
    nodes = slowest(took, ACCELERATED[cluster["cloud"]]) if cluster.get("pools") else 0
    start = {True: early, False: max(early, nodes)}
    there = {
        name: seconds
        for urn, seconds in took.items()
        for name in charts.load()
        if urn.endswith(f":Release::lab-main-{name}")
    }
    ends = {}
    for name in charts.ordered(charts.load(), there):
        layer = charts.load()[name]
        before = [ends[need] for need in (*layer.needs, *layer.after) if need in there]
        ends[name] = max([start[layer.early], *before]) + there[name]
    jobs_wait = [ends[name] for name in there if not charts.load()[name].beside_jobs]
    return max([start[False], *jobs_wait])


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_golden_stack_comes_up_as_fast_as_its_longest_chain(name, tmp_path):
    cluster, backend = CLUSTERS[name]
    layers = {"gpu-operator": "off"} if cluster["cloud"] == "existing" else {}
    found, took = rehearsed(tmp_path, document(cluster, backend, layers=layers))
    up, destroy = (found["critical_path"][part] for part in ("up", "destroy"))
    chain = sum(slowest(took, stage) for stage in STAGES[cluster["cloud"]])
    chain += (
        nodes_and_layers(cluster, took)
        + slowest(took, JOB[0])
        + max(slowest(took, k) for k in JOB[1:])
    )
    assert all(slowest(took, stage) for stage in STAGES[cluster["cloud"]])
    assert chain <= up["seconds"] <= 1.05 * chain, (chain, up)
    assert up["longest_chain"] == pytest.approx(up["seconds"])
    assert sum(step["seconds"] for step in up["steps"]) == pytest.approx(up["seconds"])
    levels = destroy["levels"]
    assert destroy["seconds"] == pytest.approx(sum(level["seconds"] for level in levels))
    assert destroy["seconds"] == destroy["sum_of_levels"]
    assert found["cost"]["parts"]["draining"] <= kept_for_the_end(cluster["cloud"], tmp_path)


def kept_for_the_end(cloud, folder):
    """USD that a budget would keep, as `spending.py` reckons from the prices of what was there."""
    if cloud == "existing":
        return 0.0
    lines = map(json.loads, (folder / "world" / "ledger.jsonl").read_text().splitlines())
    made = [each for each in lines if each["op"] == "create"]
    dear = sum(each["usd_per_hour"] for each in made if each.get("urn", "").endswith("-gpu"))
    rest = sum(each["usd_per_hour"] for each in made) - dear
    pool = PoolPlacement(
        name="gpu", instance_type="any", accelerator_count=1, nodes=1, price_per_node_hour=dear
    )
    place = ClusterPlacement(
        name="main", cloud=cloud, region="any", pools=[pool], control_plane_per_hour=rest
    )
    ending = ending_of(ColonySpec(name="lab"), Placement(clusters=[place]))
    return (dear + rest) * ending.draining / 3600


def test_what_controllers_made_in_the_cloud_is_gone_before_the_destroy_begins(tmp_path):
    made = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "board"},
         "spec": {"type": "LoadBalancer"}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
         "spec": {"resources": {"requests": {"storage": "100Gi"}}}},
    ]  # fmt: skip
    faults = tmp_path / "faults.yaml"
    fault = {"op": "create", "type": "kubernetes:jobset*", "objects": made}
    faults.write_text(json.dumps({"faults": [fault]}))
    cluster, backend = CLUSTERS["eks-l4"]
    found, _ = rehearsed(tmp_path, document(cluster, backend), "--faults", faults)
    drained = [each for each in found["events"] if each["what"].startswith("drained")]
    kinds = {each["what"].split()[1] for each in drained}
    assert kinds == {"JobSet", "Service", "PersistentVolumeClaim"}
    first = min(each["at"] for each in found["events"] if each["what"] == "deleted")
    assert max(each["at"] for each in drained) <= first
    ledger = (tmp_path / "world" / "ledger.jsonl").read_text().splitlines()
    ends = [each["type"] for each in map(json.loads, ledger) if each["op"] == "delete"]
    cloud = {"aws:lb/loadBalancer:LoadBalancer", "aws:ebs/volume:Volume"}
    assert set(ends[:2]) == cloud, ends

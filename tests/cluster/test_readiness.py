"""The gate before Ready, by nodes that a real API server has: kwok's, with a cloud's labels."""

import json

import pytest
from colony_command import Running, colony
from testbed import kwok

from colony.lifecycle.gpu_nodes import lacking
from colony.lifecycle.kube import Kube
from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World
from components.placement import ClusterPlacement, PoolPlacement

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

GPU, EFA = "nvidia.com/gpu", "vpc.amazonaws.com/efa"
POOL = {"colony.dev/pool": "gpu"}


@pytest.fixture
def nodes(cluster):
    """Two machines that have joined, and whose device plugins have not."""
    names = kwok.fake_nodes(cluster, 2, gpus=0, prefix="late", labels=POOL)
    yield names
    kwok.remove_nodes(cluster, "colony.dev/pool=gpu")


def report(cluster, name, **devices):
    """What a device plugin makes the kubelet say."""
    told = {"gpu": GPU, "efa": EFA}
    found = {told[key]: str(count) for key, count in devices.items()}
    change = {"status": {"allocatable": found, "capacity": found}}
    cluster.patch("v1/Node", name, change, subresource="status")


def test_every_node_must_report_its_gpus_and_its_network(plane, cluster, nodes):
    pool = PoolPlacement(name="gpu", instance_type="p5.48xlarge", accelerator="H100",
                         accelerator_count=8, nodes=2, price_per_node_hour=1)  # fmt: skip
    place = ClusterPlacement(name="main", cloud="aws", region="x", pools=[pool])
    kube = Kube(plane.kubeconfig.read_text())

    def late():
        return lacking(place, kube.objects("Node"), {GPU, EFA})

    assert [text.split(" nodes")[0] for text in late()] == ["0 of 2"] * 2
    report(cluster, nodes[0], gpu=8, efa=32)
    assert [text.split(" nodes")[0] for text in late()] == ["1 of 2"] * 2
    report(cluster, nodes[1], gpu=8)
    assert late() == [f"1 of 2 nodes of pool gpu have 32 of {EFA} to give"]
    report(cluster, nodes[1], gpu=7, efa=32)
    assert late() == [f"1 of 2 nodes of pool gpu have 8 of {GPU} to give"]
    report(cluster, nodes[1], gpu=8, efa=32)
    assert late() == []


def test_an_up_waits_for_the_nodes_and_status_says_so(plane, cluster, nodes, tmp_path):
    world = tmp_path / "world"
    World.create(world, kubernetes=RealCluster.of(plane.kubeconfig)).close()
    pools = [{"name": "gpu", "accelerators": "A10G:1", "nodes": 2}]
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "gated",
        "clusters": [{"name": "main", "cloud": "aws", "pools": pools}],
        "layers": {"gpu-operator": "off", "jobset": "off", "kueue": "off"},
    }  # fmt: skip
    file = tmp_path / "colony.yaml"
    file.write_text(json.dumps(content))
    phase = world / "state/.colony/colony/gated/phase.json"
    running = Running("up", file, "--world", world).until(phase.exists)
    assert seen(world) == ("Provisioning", "GpuNodesNotReady")
    for name in nodes:
        report(cluster, name, gpu=1)
    done = running.end()
    assert done.code == 0, done.err
    assert f"waiting: main: 0 of 2 nodes of pool gpu have 1 of {GPU} to give" in done.out
    assert seen(world) == ("Ready", "")
    assert colony("down", "gated", "--world", world, "--yes").code == 0


def seen(world):
    (row,) = colony("status", "gated", "--world", world, "--format", "json").json
    return row["clusters"]["phase"], row["clusters"]["clusters"]["main"]["reason"]

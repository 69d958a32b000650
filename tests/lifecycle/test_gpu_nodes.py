"""What of GPU pools is not there yet, by what their nodes report."""

import pytest

from colony.kubeapi import Unreachable
from colony.lifecycle.gpu_nodes import lacking
from colony.lifecycle.ground import LiveCluster
from colony.lifecycle.phases import Seen
from colony.lifecycle.readiness import late_text, with_nodes
from components.placement import ClusterPlacement, Placement, PoolPlacement
from components.spec import ColonySpec

GPU, EFA, IB = "nvidia.com/gpu", "vpc.amazonaws.com/efa", "rdma/hca_shared_devices_a"
LAYERS = {GPU, EFA, IB}


def place(*pools):
    every = [
        {"name": "system", "instance_type": "m7i.xlarge", "nodes": 2, "price_per_node_hour": 1}
    ]
    made = [PoolPlacement(**each) for each in [*every, *pools]]
    return ClusterPlacement(name="main", cloud="aws", region="x", pools=made)


def gpus(machine="p5.48xlarge", accelerator="H100", count=8, nodes=2, name="gpu", **more):
    return {
        "name": name, "instance_type": machine, "accelerator": accelerator,
        "accelerator_count": count, "nodes": nodes, "price_per_node_hour": 1, **more,
    }  # fmt: skip


def node(ready=True, pool="gpu", **devices):
    named = {GPU: devices.get("gpu", 8), EFA: devices.get("efa", 32), IB: devices.get("ib", 63)}
    return {
        "metadata": {"name": "n", "labels": {"colony.dev/pool": pool}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            "allocatable": {name: str(count) for name, count in named.items() if count},
        },
    }


A100 = gpus("Standard_ND96amsr_A100_v4", "A100-80GB")


@pytest.mark.parametrize(
    ("pool", "nodes", "words"),
    [
        (gpus(), [node(), node()], []),
        (gpus(), [], ["0 of 2 nodes of pool gpu are ready", "0 of 2 nodes", "0 of 2 nodes"]),
        (gpus(), [node(), node(ready=False)], ["1 of 2 nodes of pool gpu are ready", GPU, EFA]),
        (gpus(), [node(), node(gpu=0)], [f"1 of 2 nodes of pool gpu have 8 of {GPU}"]),
        (gpus(), [node(), node(gpu=7)], [f"1 of 2 nodes of pool gpu have 8 of {GPU}"]),
        (gpus(), [node(), node(efa=0)], [f"1 of 2 nodes of pool gpu have 32 of {EFA}"]),
        (gpus(), [node(), node(pool="other")], ["1 of 2 nodes of pool gpu are ready", GPU, EFA]),
        (gpus("g6.12xlarge", "L4", 4), [node(gpu=4, efa=0)] * 2, []),
        (A100, [node(ib=0)] * 2, [f"0 of 2 nodes of pool gpu have 1 of {IB}"]),
        (A100, [node()] * 2, []),
        # cut into seven parts each
        (gpus("p4d.24xlarge", "A100"), [node(gpu=56)] * 2, []),
        (gpus(min_nodes=0), [], []),
        (gpus(min_nodes=0), [node(gpu=0)], [f"0 of 1 nodes of pool gpu have 8 of {GPU}"]),
    ],
)  # fmt: skip
def test_a_gpu_node_counts_when_it_reports_all_that_its_machine_has(pool, nodes, words):
    found = lacking(place(pool), nodes, LAYERS)
    assert len(found) == len(words), found
    assert all(word in text for word, text in zip(words, found, strict=True)), found


def test_a_network_that_no_layer_makes_known_is_not_waited_for():
    assert lacking(place(gpus()), [node(efa=0)] * 2, {GPU}) == []


def test_a_cluster_of_cpus_waits_for_nothing():
    assert lacking(place(), [], LAYERS) == []


def test_each_pool_is_for_itself():
    two = place(gpus(), gpus(name="more", nodes=1))
    assert lacking(two, [node(), node()], {GPU}) == [
        "0 of 1 nodes of pool more are ready", f"0 of 1 nodes of pool more have 8 of {GPU} to give",
    ]  # fmt: skip
    assert lacking(two, [node(), node(), node(pool="more")], {GPU}) == []


class Asked:
    """A ground whose cluster gives one answer."""

    def __init__(self, answer):
        self.answer = answer

    def nodes(self, cluster):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "ready", "reason"),
    [
        ([node(), node()], True, ""),
        ([node(), node(gpu=0)], False, "GpuNodesNotReady"),
        (None, True, ""),
        (Unreachable("no route"), None, "Unreachable"),
    ],
)
def test_a_cluster_is_as_ready_as_its_nodes_say(answer, ready, reason):
    spec = ColonySpec(name="lab")
    placement = Placement(clusters=[place(gpus())], jobs={}, catalog_date="")
    config = {"colony:spec": spec.model_dump_json(exclude_defaults=True),
              "colony:placement": placement.model_dump_json()}  # fmt: skip
    live = {"main": LiveCluster("main", "aws", "arn", "", True)}
    found = with_nodes(Asked(answer), config, live, {"main": Seen(True)})["main"]
    assert (found.ready, found.reason) == (ready, reason)
    assert bool(late_text({"main": found})) is (reason != "")
    unborn = {"main": Seen(False, reason="NotThereYet")}
    assert with_nodes(Asked(answer), config, live, unborn) == unborn

import pytest

from colony.free import asking, free_nodes
from colony.gate import Reading
from components.spec import ClusterSpec, ColonySpec
from jobs.spec import Job, Resources


def node(name, gpus, model="NVIDIA-A100-SXM4-40GB", ready="True"):
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": model}},
        "spec": {},
        "status": {
            "allocatable": {"nvidia.com/gpu": str(gpus), "cpu": "64", "memory": "512Gi"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def pod(on, gpus):
    limits = {"limits": {"nvidia.com/gpu": str(gpus)}, "requests": {"nvidia.com/gpu": str(gpus)}}
    return {
        "metadata": {"name": "p", "namespace": "x"},
        "spec": {"nodeName": on, "containers": [{"name": "c", "resources": limits}]},
        "status": {"phase": "Running"},
    }


def job(**resources):
    return Job(name="train", resources=Resources(**resources), run="true")


@pytest.mark.parametrize(
    ("accelerators", "free"), [("A100:4", 3), ("A100:8", 1), ("H100:1", 0), ("A100:1", 12)]
)
def test_what_is_free_is_counted_node_by_node(accelerators, free):
    nodes = [node("a", 8), node("b", 8), node("c", 8, ready="False")]
    seen = Reading(nodes, [pod("b", 4)], [], [])
    assert free_nodes(job(accelerators=accelerators), seen) == free


def test_a_cluster_that_cannot_be_asked_is_unknown_and_is_told_once(tmp_path):
    lab = ClusterSpec(
        name="lab", cloud="existing", context="lab", kubeconfig=str(tmp_path / "none")
    )
    told = []
    free = asking(ColonySpec(name="demo", clusters=[lab]), told.append)
    assert [free("lab", job(accelerators="A100:1")) for _ in range(2)] == [None, None]
    assert len(told) == 1
    assert "what is free on cluster lab is not known" in told[0]

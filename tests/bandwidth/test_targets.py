"""What is measured where, and the job that does it."""

from __future__ import annotations

import json

from colony.bandwidth.targets import FACTS, bought, check_job, manifests, seen
from components.placement import ClusterPlacement, PoolPlacement

GPUS = {
    "name": "h100", "instance_type": "p5.48xlarge", "accelerator": "H100", "accelerator_count": 8,
    "nodes": 2, "cpus": 192, "memory_gib": 2048, "price_per_node_hour": 1,
}  # fmt: skip
CPUS = {**GPUS, "name": "cpu", "accelerator": None, "accelerator_count": 0}
SHOWN = {
    "name": "h100", "nodes": 2, "labels": {"colony.dev/pool": "h100"},
    "taints": ["nvidia.com/gpu=present:NoSchedule", "kubernetes.azure.com/spot=x:NoSchedule"],
}  # fmt: skip


def place(*pools, cloud="aws"):
    made = [PoolPlacement.model_validate(each) for each in pools]
    return ClusterPlacement(name="main", cloud=cloud, region="us-east-1", pools=made)


def node(name, product="NVIDIA-H100-80GB-HBM3", gpus=8, ready="True"):
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
        "status": {
            "allocatable": {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": str(gpus)},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def workload(target):
    *others, last = manifests(check_job(target, 900), target, "demo")
    return others, last


def test_each_pool_with_gpus_is_measured_on_all_of_its_nodes():
    [target] = bought(place(GPUS, CPUS), [SHOWN])
    _, job = workload(target)
    assert (job["kind"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Job", 2, 2)
    pod = job["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"colony.dev/pool": "h100"}
    keys = {each["key"] for each in pod["tolerations"]}
    assert {"nvidia.com/gpu", "kubernetes.azure.com/spot"} <= keys
    limits = pod["containers"][0]["resources"]["limits"]
    assert (limits["nvidia.com/gpu"], limits["vpc.amazonaws.com/efa"]) == ("8", "32")


def test_it_has_a_deadline_no_second_attempt_and_its_facts():
    [target] = bought(place(GPUS), [SHOWN])
    _, job = workload(target)
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["activeDeadlineSeconds"] > 0
    facts = json.loads(job["metadata"]["annotations"][FACTS])
    assert facts["instance_type"] == "p5.48xlarge"


def test_the_script_is_the_file_as_it_lies_there():
    from pathlib import Path

    import colony.bandwidth.targets as module

    source = Path(module.__file__).with_name("all_reduce.py").read_text()
    [target] = bought(place(GPUS), [SHOWN])
    others, _ = workload(target)
    texts = [text for each in others for text in (each.get("data") or {}).values()]
    assert any(source in text for text in texts)


def test_of_a_cluster_that_is_not_ours_alike_nodes_are_one_target():
    nodes = [node("a"), node("b"), node("c", "NVIDIA-L4", 1), node("d", ready="False"),
             node("e", gpus=0), node("f", "Unheard-Of")]  # fmt: skip
    found = {each.job: each.nodes for each in seen(place(cloud="existing"), nodes)}
    assert found == {"check-h100-8": 2, "check-l4-1": 1}
    assert seen(place(cloud="existing"), []) == []

"""Which nodes pull which images before their jobs are there."""

from __future__ import annotations

import pytest
from recording import GPUS, colony_args, inputs, record_program

from components.images import image_manifests
from components.placement import ClusterPlacement
from jobs.spec import Job

CPUS = {"name": "cpu", "instance_type": "m7i.large", "nodes": 1, "cpus": 2, "memory_gib": 8,
        "price_per_node_hour": 0.1}  # fmt: skip
GANG = {"name": "train", "image": "example.com/train:1", "run": "true", "nodes": 2,
        "resources": {"accelerators": "H100:8"}}  # fmt: skip
ALONE = {"name": "prepare", "image": "example.com/prepare:1", "run": "true"}
MPI = {"name": "mpi", "framework": "mpi", "run": "true", "image": "example.com/train:1",
       "roles": {"launcher": {"image": "example.com/launch:1"},
                 "worker": {"replicas": 2, "resources": {"accelerators": "H100:8"}}}}  # fmt: skip
OTHER = {**GANG, "name": "other", "image": "example.com/other:1", "image_pull_secrets": ["hub"]}


def pulled(*jobs, cloud="aws", pools=(CPUS, GPUS)):
    """Namespace -> its pod, and all that was registered."""
    from components.colony import Colony

    args = colony_args(cloud=cloud, pools=pools, jobs=jobs)
    recording = record_program(lambda: Colony("demo", args))
    found = [r for r in recording.of("kubernetes:apps/v1:DaemonSet") if "-images-" in r.name]
    return {
        inputs(r)["metadata"]["namespace"]: inputs(r)["spec"]["template"]["spec"] for r in found
    }, recording


def images(*jobs, **more):
    pods, _ = pulled(*jobs, **more)
    return [each["image"] for pod in pods.values() for each in pod["containers"]]


@pytest.mark.parametrize(
    "jobs, expected",
    [
        ([GANG], ["example.com/train:1"]),
        ([GANG, OTHER], ["example.com/train:1", "example.com/other:1"]),
        ([GANG, {**GANG, "name": "again"}], ["example.com/train:1"]),
        ([ALONE], []),
        ([MPI], ["example.com/train:1"]),
    ],
    ids=["one", "two", "the same twice", "no accelerators", "a launcher without"],
)
def test_images_of_what_runs_on_accelerators_are_pulled_once(jobs, expected):
    assert images(*jobs) == expected


@pytest.mark.parametrize("cloud, found", [("onprem", 0), ("existing", 0), ("gcp", 1)])
def test_nodes_that_are_the_users_own_pull_for_the_job_alone(cloud, found):
    placement = ClusterPlacement(name="lab", cloud=cloud, region="", pools=[GPUS])
    assert len(image_manifests("demo", placement, {"default": [Job(**GANG)]})) == found


def test_the_pods_are_only_where_accelerators_are_and_can_do_nothing():
    pods, _ = pulled(GANG, OTHER)
    pod = pods["default"]
    [term] = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"][0]["values"] == [GPUS["name"]]
    assert pod["imagePullSecrets"] == [{"name": "hub"}]
    assert pod["automountServiceAccountToken"] is False
    for each in pod["containers"]:
        assert each["env"] == [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]
        assert not any("gpu" in name for name in each["resources"]["limits"])
        assert each["securityContext"]["runAsNonRoot"] is True
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "colony.dev/job" not in str(pod), "no rank of the job"


def test_they_wait_for_no_accelerator_and_no_job_waits_for_them():
    _, recording = pulled(GANG)
    (images,) = [r for r in recording.requests if "-images-" in r.name]
    pools = [r.name for r in recording.of("aws:eks/nodeGroup:NodeGroup")]
    before = [urn.rsplit("::", 1)[-1] for urn in images.dependencies]
    assert len(pools) == 2 and [name for name in pools if name in before] == ["demo-main-cpu"]
    after = [r.name for r in recording.requests if images.name in str(list(r.dependencies))]
    assert after == []
    assert images.deletedWith.endswith("::demo-main-eks")

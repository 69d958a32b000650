import json
import os
from pathlib import Path

import pytest
import yaml

from jobs.backends import render
from jobs.backends.pod import default_image
from jobs.context import JobContext
from jobs.environment import environment
from jobs.errors import InputError
from jobs.spec import Job, Output, Policy, Resources, Role

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("COLONY_GOLDEN") == "write"
CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1", owner="ada")
JOBS = {
    "konduktor": (
        Job(
            name="konduktor",
            nodes=100,
            resources=Resources(
                accelerators="H100:8",
                labels={
                    "kueue.x-k8s.io/queue-name": "user-queue",
                    "kueue.x-k8s.io/priority-class": "low-priority",
                },
            ),
            setup="pip install torch torchvision\n",
            run="torchrun --rdzv_endpoint=$master_addr:1234 --nnodes $num_nodes bench.py\n",
        ),
        CONTEXT,
    ),
    "two-nodes": (
        Job(
            name="ddp",
            nodes=2,
            resources=Resources(accelerators="H100:8", cpus="4+", memory="64"),
            policy=Policy(backoff_limit=3),
            max_run_time=1800,
            expected_run_time=60,
            envs={"PRICE": "$5 $(date)"},
            run="python train.py",
        ),
        JobContext(
            colony="spring", cluster="main", cloud="aws", region="us-east-1",
            code_secret="ddp-code", code_sha256="0" * 64,
            node_selector={"colony.dev/pool": "h100"},
            tolerations=[{"key": "colony.dev/pool", "operator": "Exists"}],
        ),
    ),
    "two-roles": (
        Job(
            name="mnist",
            roles={
                "master": Role(),
                "worker": Role(
                    replicas=3, image="example.org/mnist:1", resources=Resources(cpus="2")
                ),
            },
            resources=Resources(accelerators="L4:1"),
            run="python mnist.py",
        ),
        CONTEXT,
    ),
    "secrets-and-outputs": (
        Job(
            name="tuned",
            secrets={"TOKEN": "s3cr3t"},
            queue="research",
            priority="high",
            outputs=[Output(path="out", to="s3://bucket/tuned")],
            run="python tune.py",
        ),
        JobContext(
            colony="spring", cluster="main", cloud="aws", region="us-east-1", namespace="research",
            env_secret="tuned-env", service_account="colony-outputs",
        ),
    ),
}  # fmt: skip


def jobset(name):
    return render(*JOBS[name])[-1]


def pod(manifest, role=0):
    return manifest["spec"]["replicatedJobs"][role]["template"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", JOBS)
def test_manifests_are_the_golden_ones(name):
    """COLONY_GOLDEN=write pytest ... writes them anew; read the difference before you commit."""
    manifests = render(*JOBS[name])
    manifests[0]["data"]["entrypoint.sh"] = "(jobs/entrypoint.sh)\n"
    for manifest in manifests:
        manifest["metadata"]["annotations"]["colony.dev/content-sha256"] = "(hash)"
    file = GOLDEN / f"{name}.yaml"
    if WRITE:
        file.write_text(yaml.safe_dump_all(manifests, sort_keys=False))
    assert manifests == list(yaml.safe_load_all(file.read_text()))


def test_a_hundred_nodes_are_one_gang_of_a_hundred_pods_in_the_users_queue():
    manifest = jobset("konduktor")
    (role,) = manifest["spec"]["replicatedJobs"]
    assert (role["replicas"], role["template"]["spec"]["parallelism"]) == (1, 100)
    assert manifest["spec"]["suspend"] is True
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "user-queue"
    assert manifest["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "low-priority"
    limits = pod(manifest)["containers"][0]["resources"]["limits"]
    assert role["template"]["spec"]["parallelism"] * int(limits["nvidia.com/gpu"]) == 800


def test_without_a_queue_the_job_starts_at_once():
    assert jobset("two-nodes")["spec"]["suspend"] is False


@pytest.mark.parametrize("name", JOBS)
def test_no_secret_is_in_any_manifest(name):
    assert "s3cr3t" not in json.dumps(render(*JOBS[name]))


@pytest.mark.parametrize(("name", "role"), [("konduktor", 0), ("two-nodes", 0), ("two-roles", 1)])
def test_the_manifest_holds_the_shared_part_of_the_contract(name, role):
    job, context = JOBS[name]
    manifest = jobset(name)
    role_name = manifest["spec"]["replicatedJobs"][role]["name"]
    given = {
        each["name"]: each["value"].replace("$$", "$")
        for each in pod(manifest, role)["containers"][0]["env"]
        if "value" in each
    }
    first = environment(job, role_name, 0, context)
    last = environment(job, role_name, 1, context) if name != "two-roles" else first
    static = {key: value for key, value in first.items() if last[key] == value and key in given}
    assert static.items() <= given.items()
    assert {"MASTER_ADDR", "WORLD_SIZE", "num_nodes", "PET_NNODES"} <= static.keys()


def test_lost_outputs_and_overtime_are_not_cured_by_restarts():
    rules = jobset("secrets-and-outputs")["spec"]["failurePolicy"]["rules"]
    assert {rule["action"] for rule in rules} == {"FailJobSet"}
    reasons = {reason for rule in rules for reason in rule["onJobFailureReasons"]}
    assert reasons == {"DeadlineExceeded", "PodFailurePolicy"}


def test_a_cpu_job_asks_for_no_gpu_and_no_privilege():
    spec = pod(jobset("secrets-and-outputs"))
    assert spec["tolerations"] == []
    assert spec["containers"][0]["resources"] == {}
    assert "securityContext" not in spec["containers"][0]


def test_the_default_image_is_pinned_by_digest():
    assert "@sha256:" in default_image()


def test_amd_gpus_need_an_image_of_their_own():
    job = Job(name="a", resources=Resources(accelerators="MI300X:8"))
    with pytest.raises(InputError, match=r"image.*MI300X:8"):
        render(job, CONTEXT)
    named = job.model_copy(update={"image": "rocm/pytorch:1"})
    limits = pod(render(named, CONTEXT)[-1])["containers"][0]["resources"]["limits"]
    assert limits == {"amd.com/gpu": "8"}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"policy": Policy(backoff_limit=3, startup_timeout=60)}, True),
        ({"run": "other"}, False),
        ({"nodes": 3}, False),
        ({"envs": {"A": "b"}}, False),
    ],
)
def test_the_content_hash_follows_what_the_pods_run(change, same):
    job, context = JOBS["two-nodes"]
    hashes = [
        render(each, context)[-1]["metadata"]["annotations"]["colony.dev/content-sha256"]
        for each in (job, job.model_copy(update=change))
    ]
    assert (hashes[0] == hashes[1]) is same

"""Every kind of job through `colony run`, the real engine and the real controllers."""

import json
import threading

import pytest
import yaml
from colony_command import Running, colony
from kubernetes.client import CoreV1Api, V1Eviction, V1ObjectMeta
from testbed import kwok

from colony.rehearsal.world import left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

BARE = dict.fromkeys(
    ("gpu-operator", "jobset", "kueue", "volcano", "kubeflow-trainer", "kuberay", "mpi-operator"),
    "off",
)
JOB = "colony.dev/job=train"


def paced(stage, seconds):
    names = ("delay", "jitter-delay")
    marks = {f"{stage}.stage.kwok.x-k8s.io/{name}": seconds for name in names}
    return {"metadata": {"annotations": marks}}


ENDLESS = paced("pod-complete", "1h")
NEVER = paced("pod-ready", "1h")


@pytest.fixture(scope="module")
def bought(cluster):
    """The four nodes that the simulated cloud sells."""
    labels = {"colony.dev/accelerator": "A10G"}
    kwok.fake_nodes(cluster, 4, gpus=1, prefix="sold", labels=labels)
    yield
    kwok.remove_nodes(cluster, "colony.dev/accelerator=A10G")


def write(folder, *jobs, **colony_fields):
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "tiny", "layers": BARE,
        "clusters": [{"name": "main", "cloud": "existing"}],
        "teardown": {"grace": "0s"}, "jobs": list(jobs), **colony_fields,
    }  # fmt: skip
    path = folder / "colony.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def train(**fields):
    one = {"name": "train", "run": "true", "resources": {"accelerators": "H100:8"}}
    return {**one, **({} if "roles" in fields else {"nodes": 2}), **fields}


def run(file, world):
    return Running("run", file, "--yes", "--world", world, "--format", "json")


def pods(cluster, labels=JOB, space="default"):
    """Other tests' jobs have the same name, in namespaces of their own."""
    return cluster.list("v1/Pod", space, labels)


def running(cluster, labels=JOB, space="default"):
    found = pods(cluster, labels, space)
    return [pod for pod in found if pod["status"].get("phase") == "Running"]


@pytest.mark.parametrize(
    ("backend", "framework", "controller"),
    [
        ("jobset", "pytorch", "jobset"),
        ("job", "pytorch", "cluster"),
        ("volcano", "pytorch", "volcano"),
        ("trainjob", "pytorch", "trainer"),
        ("mpijob", "mpi", "mpi"),
        ("rayjob", "ray", "kuberay"),
    ],
)
def test_every_back_end_runs_to_its_end_and_leaves_no_trace(
    backend, framework, controller, request, cluster, world, tmp_path
):
    request.getfixturevalue(controller)
    before = set(cluster.leftovers("default"))
    done = run(write(tmp_path, train(backend=backend, framework=framework)), world).end()
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["jobs"]["train"]["exit_code"] in (0, None)
    assert left(world) == []
    cluster.wait(lambda: set(cluster.leftovers("default")) <= before, 30, "no trace")


def test_a_role_waits_for_another_and_both_complete(cluster, jobset, world, tmp_path):
    roles = {
        "prepare": {"run": "true"},
        "train": {"replicas": 2, "depends_on": [{"role": "prepare", "phase": "Succeeded"}]},
    }
    seen = {}

    def watch_starts():
        for pod in pods(cluster):
            seen.setdefault(pod["metadata"]["labels"]["colony.dev/role"], pod["metadata"])
        return len(seen) == 2

    file = write(tmp_path, train(framework="custom", roles=roles))
    done = run(file, world).until(watch_starts).end()
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert list(seen) == ["prepare", "train"]


def test_a_gang_of_four_starts_when_four_fit_and_an_eviction_ends_it(
    cluster, volcano, bought, world, tmp_path
):
    cluster.apply(BLOCKER, namespace="default")
    cluster.wait(lambda: running(cluster, "blocks=a-node"), 60, "the blocker")
    roles = {"worker": {"replicas": 4, "template": ENDLESS}}
    gang = train(
        backend="volcano", framework="custom", roles=roles, resources={"accelerators": "A10G:1"}
    )
    file = write(tmp_path, gang, layers={}, clusters=[{"name": "main", "cloud": "aws"}])

    def waits():
        found = pods(cluster)
        assert not any(pod["spec"].get("nodeName") for pod in found)
        group = cluster.list("scheduling.volcano.sh/v1beta1/PodGroup", "default")
        return any(each.get("status", {}).get("phase") in ("Pending", "Inqueue") for each in group)

    try:
        life = run(file, world).until(waits)
        cluster.delete("v1/Pod", "blocker", "default", grace=0)
        life.until(lambda: len(running(cluster)) == 4)
        evict(cluster, running(cluster)[0])
        done = life.end()
    finally:
        cluster.delete("v1/Pod", "blocker", "default", grace=0)
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert "evict" in done.json["reason"].lower() or "Preempted" in done.json["reason"]


def test_a_worker_that_never_runs_ends_the_job_at_its_start_up_timeout(
    cluster, jobset, world, tmp_path
):
    before = set(cluster.leftovers("default"))
    roles = {"worker": {"replicas": 2, "template": NEVER}}
    job = train(framework="custom", roles=roles, policy={"startup_timeout": "10s"})
    done = run(write(tmp_path, job), world).end()
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert "10 s" in done.json["reason"]
    cluster.wait(lambda: set(cluster.leftovers("default")) <= before, 30, "everything released")


def test_the_launcher_does_not_start_before_the_last_worker_runs(cluster, jobset, world, tmp_path):
    roles = {"launcher": {}, "worker": {"replicas": 3, "template": paced("pod-ready", "4s")}}
    watched, over = [], threading.Event()

    def follow():
        while not over.wait(0.1):
            watched.append(phases(cluster))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        done = run(write(tmp_path, train(framework="mpi", roles=roles)), world).end()
    finally:
        over.set()
        thread.join()
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    started = [each for each in watched if started_ever(each.get("launcher", []))]
    assert started
    assert all(each.get("worker", []).count("Pending") == 0 for each in started)
    assert max(each.get("worker", []).count("Running") for each in watched) == 3


def test_a_job_that_fits_nowhere_is_refused_before_anything_is_made(cluster, world, tmp_path):
    before = set(cluster.leftovers("default"))
    job = train(roles={"worker": {"replicas": 2}}, resources={"accelerators": "H100:16"})
    done = run(write(tmp_path, job), world).end()
    assert (done.code, done.json["outcome"]) == (2, "unplaceable"), done.err
    assert set(cluster.leftovers("default")) == before
    assert colony("status", "--world", world, "--format", "json").json == []


def test_a_queued_gang_waits_for_quota_and_gives_way_to_a_higher_priority(
    cluster, jobset, kueue, bought, world, tmp_path
):
    def queued(name, priority, **fields):
        accelerators = {"accelerators": "A10G:1"}
        role = {"replicas": 2, **fields}
        return train(
            name=name, framework="custom", queue="lab", priority=priority,
            resources=accelerators, roles={"worker": role},
        )  # fmt: skip

    pool = {"name": "gpu", "accelerators": "A10G:1", "nodes": 2}
    fields = {
        "clusters": [{"name": "main", "cloud": "aws", "pools": [pool]}],
        "queues": [{"project": "lab", "namespace": "research", "gpus": 2}],
        "layers": {},
    }
    first = queued("first", "high-priority", template=paced("pod-complete", "12s"))
    second = queued("second", "low-priority")
    third = queued("third", "high-priority")
    low = queued("second", "low-priority", template=paced("pod-complete", "15s"))

    def jobset_of(name):
        return cluster.get("jobset.x-k8s.io/v1alpha2/JobSet", name, "research")

    # suspended until quota frees, then as a gang
    life = run(write(tmp_path, first, second, **fields), world)
    life.until(lambda: len(running(cluster, "colony.dev/job=first", "research")) == 2)
    assert jobset_of("second")["spec"]["suspend"] is True
    assert pods(cluster, "colony.dev/job=second", "research") == []
    life.until(lambda: len(pods(cluster, "colony.dev/job=second", "research")) == 2)
    assert done_well(life.end())

    # a higher priority takes the place of a lower one that runs
    up = colony("up", write(tmp_path, low, **fields), "--yes", "--world", world)
    assert up.code == 0, up.err
    cluster.wait(
        lambda: len(running(cluster, "colony.dev/job=second", "research")) == 2, 60, "the low one"
    )
    up = colony("up", write(tmp_path, low, third, **fields), "--yes", "--world", world)
    assert up.code == 0, up.err
    cluster.wait(lambda: is_evicted(cluster), 60, "the preemption")
    down = colony("down", "tiny", "--yes", "--world", world)
    assert down.code == 0, down.err
    assert left(world) == []


def done_well(done):
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    return True


def is_evicted(cluster):
    return any(
        condition["type"] in ("Evicted", "Preempted") and condition["status"] == "True"
        for workload in cluster.list("kueue.x-k8s.io/v1beta2/Workload", "research")
        for condition in workload.get("status", {}).get("conditions", [])
    )


def phases(cluster):
    found = {}
    for pod in pods(cluster):
        role = pod["metadata"]["labels"].get("colony.dev/role", "")
        found.setdefault(role, []).append(pod["status"].get("phase", "Pending"))
    return found


def started_ever(found):
    return any(phase in ("Running", "Succeeded", "Failed") for phase in found)


def evict(cluster, pod):
    """As a drain does."""
    metadata = V1ObjectMeta(name=pod["metadata"]["name"], namespace=pod["metadata"]["namespace"])
    CoreV1Api(cluster._api).create_namespaced_pod_eviction(
        metadata.name, metadata.namespace, V1Eviction(metadata=metadata)
    )


BLOCKER = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "blocker", "labels": {"blocks": "a-node"}},
        "spec": {
            "nodeSelector": {"colony.dev/accelerator": "A10G"},
            "containers": [
                {
                    "name": "c",
                    "image": "example.org/c:1",
                    "resources": {"limits": {"nvidia.com/gpu": "1"}},
                }
            ],
        },
    }
)

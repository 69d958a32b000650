"""`colony run` through the real engine onto the real API server, with the real controllers."""

import json
from pathlib import Path

import pytest
import yaml
from colony_command import Running, colony
from testbed import kwok

from colony.rehearsal.world import left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180), pytest.mark.usefixtures("jobset")]

ENDLESS = {
    "metadata": {
        "annotations": {
            f"pod-complete.stage.kwok.x-k8s.io/{name}": "1h" for name in ("delay", "jitter-delay")
        }
    }
}
FAILING = {"metadata": {"labels": {"pod-container-running-failed.stage.kwok.x-k8s.io": "true"}}}
CLUSTER_WIDE = (
    "v1/Namespace",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "apiextensions.k8s.io/v1/CustomResourceDefinition",
)
AWS = {"name": "main", "cloud": "aws"}
BARE = {"gpu-operator": "off", "jobset": "off", "kueue": "off"}
"""What the test bed has, or does not need."""


@pytest.fixture(scope="module")
def bought(cluster):
    """Nodes as a simulated cloud's cluster would have them."""
    labels = {"colony.dev/accelerator": "A10G"}
    kwok.fake_nodes(cluster, 2, gpus=1, prefix="a10g", labels=labels)
    yield
    kwok.remove_nodes(cluster, "colony.dev/accelerator=A10G")


@pytest.fixture
def no_trace(cluster):
    """Compares the API server before and after."""
    before = everywhere(cluster)
    yield
    assert everywhere(cluster) == before


def everywhere(cluster):
    wide = {kind: sorted(names_of(cluster.list(kind))) for kind in CLUSTER_WIDE}
    return {**wide, "default": cluster.leftovers("default")}


def names_of(found):
    """All but other tests' own namespaces, which go in their own time."""
    names = [each["metadata"]["name"] for each in found]
    return [name for name in names if not name.startswith("test-")]


def colony_file(folder, cluster=None, layers=BARE, **job) -> Path:
    where = cluster or {"name": "main", "cloud": "existing"}
    one = {"name": "train", "resources": {"accelerators": "H100:8"}}
    if "roles" not in job:
        one |= {"nodes": 2, "run": "true"}
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "tiny", "clusters": [where],
        "layers": layers, "teardown": {"grace": "0s"}, "jobs": [{**one, **job}],
    }  # fmt: skip
    path = Path(folder, "colony.yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def run(file, world):
    return colony("run", file, "--yes", "--world", world, "--format", "json")


def pods_running(cluster, count=2):
    def check():
        found = cluster.list("v1/Pod", "default", labels="colony.dev/job=train")
        return sum((pod.get("status") or {}).get("phase") == "Running" for pod in found) >= count

    return check


@pytest.mark.usefixtures("no_trace")
def test_a_jobset_of_two_nodes_runs_to_its_end_and_leaves_no_trace(cluster, world, tmp_path):
    running = Running(
        "run", colony_file(tmp_path), "--yes", "--world", world, "--format", "json"
    ).until(lambda: cluster.get("jobset.x-k8s.io/v1alpha2/JobSet", "train", "default"))
    done = running.end()
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["billable_left"] == done.json["also_left"] == left(world) == []
    assert done.json["jobs"]["train"]["outcome"] == "succeeded"


@pytest.mark.usefixtures("no_trace")
def test_a_role_that_fails_fails_the_run(world, tmp_path):
    roles = {"worker": {"replicas": 2, "template": FAILING}}
    file = colony_file(tmp_path, framework="custom", roles=roles)
    done = run(file, world)
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert done.json["jobs"]["train"]["exit_code"] == 1


@pytest.mark.usefixtures("no_trace", "bought")
def test_a_simulated_cloud_s_cluster_is_the_test_bed_too(cluster, world, tmp_path):
    file = colony_file(tmp_path, AWS, {}, resources={"accelerators": "A10G:1"})
    done = run(file, world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert done.json["cost"]["total"] > 0
    assert left(world) == []


@pytest.mark.usefixtures("no_trace")
def test_ctrl_c_while_the_job_runs_ends_it_with_130(cluster, world, tmp_path):
    roles = {"worker": {"replicas": 2, "run": "sleep 1h", "template": ENDLESS}}
    file = colony_file(tmp_path, framework="custom", roles=roles)
    running = Running("run", file, "--yes", "--world", world, "--format", "json")
    done = running.until(pods_running(cluster)).interrupt()
    assert (done.code, done.json["outcome"]) == (130, "cancelled"), done.err


@pytest.mark.usefixtures("no_trace")
def test_a_killed_run_is_reaped(cluster, world, tmp_path):
    roles = {"worker": {"replicas": 2, "run": "sleep 1h", "template": ENDLESS}}
    file = colony_file(tmp_path, framework="custom", roles=roles)
    Running("run", file, "--yes", "--world", world).until(pods_running(cluster)).kill()
    assert cluster.get("jobset.x-k8s.io/v1alpha2/JobSet", "train", "default")
    done = colony("reap", "--world", world, "--format", "json")
    assert done.code == 0, done.err


@pytest.mark.usefixtures("no_trace")
def test_an_object_of_that_name_that_is_there_already_fails_the_run_and_stays(
    cluster, world, tmp_path
):
    theirs = {
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"theirs": "1"},
        "metadata": {"name": "train-scripts", "namespace": "default"},
    }  # fmt: skip
    cluster.apply(theirs)
    done = run(colony_file(tmp_path), world)
    found = cluster.get("v1/ConfigMap", "train-scripts", "default")
    cluster.delete("v1/ConfigMap", "train-scripts", "default")
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert 'configmaps "train-scripts" already exists' in done.json["reason"]
    assert found["data"] == {"theirs": "1"}


@pytest.mark.usefixtures("no_trace", "bought", "kueue")
def test_a_job_that_queues_gets_its_namespace_and_queue_and_they_go_with_it(world, tmp_path):
    file = colony_file(tmp_path, AWS, {}, queue="lab", resources={"accelerators": "A10G:1"})
    content = yaml.safe_load(file.read_text())
    content["queues"] = [{"project": "lab", "namespace": "research", "gpus": 2}]
    file.write_text(yaml.safe_dump(content))
    done = run(file, world)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err


def test_rehearse_takes_the_kubeconfig_itself(plane, tmp_path):
    file = colony_file(tmp_path)
    done = colony("rehearse", file, "--kubernetes", plane.kubeconfig, "--format", "json")
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert "/" not in json.dumps(done.json["jobs"])

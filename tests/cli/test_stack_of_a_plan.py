"""What `plan` and `validate` say of the layers that a file's clusters would get."""

import json

import pytest

EKS = """\
apiVersion: colony/v1
kind: Colony
name: lab
clusters:
- {name: main, cloud: aws, pools: [{name: gpu, accelerators: "H100:8", nodes: 2}]}
layers: {LAYERS}
---
apiVersion: colony/v1
kind: Job
name: train
resources: {accelerators: "H100:8"}
nodes: 2
image: IMAGE
run: "true"
"""
JOB = """\
apiVersion: colony/v1
kind: Job
name: train
resources: {accelerators: "L4:1", cloud: aws}
image: repo/train:1-arm64
run: "true"
"""
TWICE = "gpu-operator: {values: {driver: {enabled: true}}}"


@pytest.fixture
def file(tmp_path):
    def write(layers="", image="repo/train:1", text=EKS):
        path = tmp_path / "colony.yaml"
        path.write_text(text.replace("LAYERS", layers).replace("IMAGE", image), encoding="utf-8")
        return path

    return write


def test_a_plan_shows_the_stack_with_image_and_driver(run, file):
    code, out, err = run("plan", file(), "--format", "json")
    plan = json.loads(out)
    assert code == 0, err
    assert plan["cluster"]["name"] == "main"
    assert plan["cluster"]["node_image"]["name"] == "al2023-nvidia"
    assert plan["cluster"]["driver"] == {"version": "580.159.03", "by": "node image"}
    why = {layer["name"]: layer["why"] for layer in plan["layers"]}
    assert why["gpu-operator"] == "nvidia GPUs"
    assert why["aws-efa-k8s-device-plugin"] == "efa network"
    assert why["node-feature-discovery"] == "gpu-operator needs it"
    assert all(layer["version"] for layer in plan["layers"])
    assert plan["checks"] == {"errors": [], "warnings": []}


def test_a_colony_without_jobs_shows_its_cheapest_machines_their_price_and_their_stack(run, file):
    bare = file(text=EKS.partition("---")[0])
    code, out, err = run("plan", bare, "--format", "json")
    plan = json.loads(out)
    assert (code, plan["colony"]) == (0, "lab"), err
    (place,) = plan["placement"]["clusters"]
    nodes = {pool["name"]: (pool["accelerator"], pool["nodes"]) for pool in place["pools"]}
    assert nodes["gpu"] == ("H100", 2)
    paid = sum(pool["nodes"] * pool["price_per_node_hour"] for pool in place["pools"])
    assert plan["price_per_hour"] == pytest.approx(paid + place["control_plane_per_hour"])
    (cluster,) = plan["clusters"]
    assert "gpu-operator" in {layer["name"] for layer in cluster["layers"]}
    code, text, _ = run("plan", bare)
    assert code == 0
    assert f"${plan['price_per_hour']:.2f} per hour" in text
    assert "layers of cluster main" in text
    assert "if it lives as long as its lease" in text


def test_a_pool_that_nobody_offers_is_told_without_jobs_too(run, file):
    code, _, err = run("plan", file(text=EKS.partition("---")[0].replace("H100:8", "H100:7")))
    assert (code, "near: H100:8" in err) == (2, True), err


def test_the_text_of_a_plan_has_the_same_stack(run, file):
    code, out, _ = run("plan", file("volcano: on, my: {chart: 'oci://x.io/my', version: '1'}"))
    assert code == 0
    assert "Amazon Linux 2023 with NVIDIA driver, driver 580.159.03 by the node image" in out
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert "efa network" in lines["aws-efa-k8s-device-plugin"]
    assert "the spec names it" in lines["volcano"]
    assert "your own chart" in lines["my"]


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_what_a_check_refuses_is_refused_before_anything_else(run, file, command):
    path = file(TWICE)
    code, out, err = run(command, path)
    said = " ".join((out + err).split())
    assert code == 2
    assert "layers.gpu-operator.values.driver.enabled: the node image al2023-nvidia" in said
    assert (run(command, file())[0], file(TWICE).exists()) == (0, True)


def test_warnings_are_told_by_path_and_change_no_exit_code(run, file):
    path = file("kueue: {version: 0.19.1}")
    code, _, err = run("plan", path)
    assert (code, "layers.kueue.version" in err) == (0, True)
    code, out, _ = run("validate", path, "--format", "json")
    documents = {each["kind"]: each for each in json.loads(out)[0]["documents"]}
    assert code == 0
    assert [each["path"] for each in documents["Colony"]["warnings"]] == ["layers.kueue.version"]
    assert documents["Job"]["warnings"] == []


def test_a_problem_stands_with_the_document_that_it_is_of(run, file):
    _, out, _ = run("validate", file(image="repo/train:1-arm64"), "--format", "json")
    colony, job = json.loads(out)[0]["documents"]
    assert (colony["ok"], job["ok"]) == (True, False)
    assert [each["path"] for each in job["errors"]] == ["image"]
    code, out, _ = run("validate", file(text=JOB), "--format", "json")
    (job,) = json.loads(out)[0]["documents"]
    assert (code, [each["path"] for each in job["errors"]]) == (2, ["image"])


def test_jobs_of_a_second_cluster_are_counted_as_in_the_file(run, file):
    two = EKS.replace("clusters:\n", "clusters:\n- {name: first, cloud: gcp}\n")
    first = JOB.replace("repo/train:1-arm64", "repo/train:1").replace("train", "other", 1)
    path = file(image="repo/train:1-arm64", text=f"{two}---\n{first}")
    code, out, err = run("plan", path)
    assert code == 2
    assert "jobs[0].image: repo/train:1-arm64 is for arm64" in " ".join(err.split()), out


@pytest.mark.parametrize("command", ["plan", "validate"])
@pytest.mark.parametrize(
    ("pool", "more", "path", "what"),
    [
        (", reservation: cr-1, reserved_until: 2026-01-01", "", ".pools[0].reserved_until",
         "the reservation ends at 2026-01-01T00:00:00Z, and job 'train' may run for 24h"),
        (", min_nodes: 0", "", ".pools[0].min_nodes", "not built with scaling by themselves"),
        ("", "queues: [{project: a, gpus: 17}]\n", "queues", "share out 17 GPUs of 16 bought"),
    ],
)  # fmt: skip
def test_what_its_clusters_cannot_have_is_refused_before_any_up(
    run, file, command, pool, more, path, what
):
    text = EKS.replace("nodes: 2}]", f"nodes: 2{pool}}}]").replace("layers:", f"{more}layers:")
    code, out, err = run(command, file(text=text))
    said = " ".join((out + err).split())
    assert (code, f"{path}: " in said, what in said) == (2, True, True), said


@pytest.mark.parametrize("command", ["plan", "validate"])
def test_a_layer_that_a_job_cannot_do_without_may_not_be_off(run, file, command):
    code, out, err = run(command, file("jobset: off"))
    assert code == 2
    assert "layers.jobset: is off, but job 'train' needs it" in out + err


def test_what_stands_on_a_cluster_of_the_users_is_not_refused_unseen(run, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "apiVersion: colony/v1\nkind: Colony\nname: lab\n"
        "clusters: [{name: mine, cloud: existing, context: mine}]\n"
        "layers: {gpu-operator: {values: {driver: {rdma: {enabled: true}}}}}\n"
        "jobs: [{name: train, run: 'true'}]\n"
    )
    code, out, err = run("plan", path)
    assert code == 0, out + err
    assert "nothing makes a NicClusterPolicy" in " ".join(err.split())

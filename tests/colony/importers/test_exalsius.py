"""exalsius' Colony in its three shapes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

import charts
from colony.importers.exalsius import _data, import_colony
from jobs.accelerators import find
from jobs.problems import NotHonoured
from jobs.quantities import parse_accelerators

HEAD = {"apiVersion": "infra.exalsius.ai/v1", "kind": "Colony", "metadata": {"name": "lab"}}
AWS = {
    "replicas": 2, "ami": "ami-1", "region": "eu-central-1", "instanceType": "p4d.24xlarge",
    "sshKeyName": "me", "iamInstanceProfile": "nodes",
}  # fmt: skip
LISTED: dict[str, Any] = {
    "k8sVersion": "v1.30.3+k0s.0",
    "workloadDependencies": [{"name": "volcano-sh"}],
    "colonyClusters": [{"clusterName": "one", "awsEnabled": True, "aws": AWS}],
}
DEPLOYED = yaml.safe_load("""
colonyClusters:
  - clusterName: one
    clusterDeploymentSpec:
      template: gcp-standalone-cp-1-0-0
      credential: mine
      config: {region: us-central1, workersNumber: 3, worker: {instanceType: g2-standard-24}}
      serviceSpec: {services: [{name: gpus, template: gpu-operator-24-9-2}]}
  - clusterName: metal
    clusterDeploymentSpec:
      template: remote-cluster-1-0-0
      config: {machines: [{address: 10.0.0.1, port: 22}, {address: 10.0.0.2}]}
""")


def read(spec: dict[str, Any]):
    return import_colony({**HEAD, "spec": spec})


def errors(spec: dict[str, Any]) -> list[tuple[str, str]]:
    colony, problems, _ = read(spec)
    assert colony is None
    return [(problem.path, problem.message) for problem in problems]


def with_cluster(**fields: Any) -> dict[str, Any]:
    return {**LISTED, "colonyClusters": [{"clusterName": "one", **fields}]}


def test_the_listed_shape_is_a_colony_of_what_its_machines_have():
    colony, problems, warnings = read(LISTED)
    assert problems == []
    (cluster,) = colony.clusters
    assert (cluster.name, cluster.cloud, cluster.region) == ("one", "aws", "eu-central-1")
    assert cluster.kubernetes == "v1.30.3"
    assert [(p.accelerators, p.nodes) for p in cluster.pools] == [("A100:8", 2)]
    assert list(colony.layers) == ["volcano"]
    said = {warning.path for warning in warnings}
    assert {"spec", "spec.colonyClusters[0].aws.ami"} <= said


def test_the_flat_shape_is_named_and_read():
    flat = {"clusterName": "only", "k8sVersion": "v1.27.2", "azureEnabled": True,
            "azure": {"region": "westeurope"}}  # fmt: skip
    colony, problems, warnings = read(flat)
    assert problems == []
    assert [(c.name, c.cloud, c.region) for c in colony.clusters] == [
        ("only", "azure", "westeurope")
    ]
    assert "v0.1" in next(w.message for w in warnings if w.path == "spec")


def test_the_deployed_shape_is_read_by_its_templates():
    colony, problems, warnings = read(DEPLOYED)
    assert problems == []
    one, metal = colony.clusters
    assert (one.cloud, one.region, one.pools[0].accelerators, one.pools[0].nodes) == (
        "gcp", "us-central1", "L4:2", 3,
    )  # fmt: skip
    assert metal.cloud == "onprem"
    assert [host.address for host in metal.hosts] == ["10.0.0.1", "10.0.0.2"]
    assert list(colony.layers) == ["gpu-operator"]
    assert not [w for w in warnings if isinstance(w, NotHonoured)]
    assert not [w for w in warnings if w.path == "spec"]


def test_an_adopted_cluster_is_an_existing_one():
    cluster = {"clusterName": "a", "clusterDeploymentSpec": {"template": "adopted-cluster-1-0-0"}}
    colony, problems, _ = read({"colonyClusters": [cluster]})
    assert problems == []
    assert colony.clusters[0].cloud == "existing"


@pytest.mark.parametrize(
    ("spec", "path", "says"),
    [
        (with_cluster(dockerEnabled=True, docker={"replicas": 1}),
         "spec.colonyClusters[0].docker", "containers on one machine"),
        (with_cluster(remoteClusterEnabled=True),
         "spec.colonyClusters[0].remoteClusterEnabled", "no machines"),
        (with_cluster(awsEnabled=True), "spec.colonyClusters[0].aws", "required with awsEnabled"),
        (with_cluster(awsEnabled=True, aws=AWS, azureEnabled=True, azure={"region": "x"}),
         "spec.colonyClusters[0]", "exactly one"),
        (with_cluster(), "spec.colonyClusters[0]", "no provider"),
        (with_cluster(awsEnabled=True, aws={**AWS, "region": "<region>"}),
         "spec.colonyClusters[0].aws.region", "one word"),
        (with_cluster(awsEnabled=True, aws={**AWS, "replicas": 0}),
         "spec.colonyClusters[0].aws.replicas", "at least 1"),
        ({**LISTED, "k8sVersion": "latest"}, "spec.k8sVersion", "not a Kubernetes version"),
        ({**LISTED, "colonyClusters": []}, "spec.colonyClusters", "required"),
        ({**LISTED, "workloadDependencies": [{"name": "volcanoo"}]},
         "spec.workloadDependencies[0].name", "no layer"),
        ({**LISTED, "colonyCluster": []}, "spec.colonyCluster", "unknown field"),
        ({**LISTED, "clusterName": "x"}, "spec.clusterName", "v0.1"),
        ({**DEPLOYED, "k8sVersion": "v1.30.0"}, "spec.k8sVersion", "v0.1"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_place(spec, path, says):
    found = dict(errors(spec))
    assert says in found[path]


def test_a_chart_without_a_version_is_refused_with_our_pin():
    chart = {
        "chartName": "kuberay-operator",
        "repoURL": "https://ray-project.github.io/kuberay-helm/",
    }
    spec = {**LISTED, "additionalDependencies": [{"name": "ray", "spec": chart}]}
    _, problems, _ = read(spec)
    (problem,) = problems
    assert problem.path == "spec.additionalDependencies[0].spec.version"
    assert charts.load()["kuberay"].version in problem.hint


def test_a_chart_with_a_version_is_a_layer_with_values():
    chart = {"chartName": "kuberay-operator", "version": "1.3.2", "valuesTemplate": "batch: 1\n"}
    spec = {**LISTED, "additionalDependencies": [{"name": "ray", "spec": chart}]}
    colony, problems, _ = read(spec)
    assert problems == []
    assert (colony.layers["kuberay"].version, colony.layers["kuberay"].values) == (
        "1.3.2", {"batch": 1},
    )  # fmt: skip


@pytest.mark.parametrize("key", ["clusterNetwork", "bastion"])
def test_settings_of_a_template_that_are_not_ours_are_refused_by_run(key):
    spec = copy.deepcopy(DEPLOYED)
    spec["colonyClusters"][0]["clusterDeploymentSpec"]["config"][key] = {"a": 1}
    _, problems, warnings = read(spec)
    assert problems == []
    (refused,) = [w for w in warnings if isinstance(w, NotHonoured)]
    assert refused.path.endswith(f"config.{key}")


def test_an_unknown_setting_of_a_template_is_an_error():
    spec = copy.deepcopy(DEPLOYED)
    spec["colonyClusters"][0]["clusterDeploymentSpec"]["config"]["regoin"] = "x"
    ((path, message),) = errors(spec)
    assert (path.rpartition(".")[2], message) == ("regoin", "unknown field")


def test_a_placeholder_for_a_host_is_refused():
    spec = copy.deepcopy(DEPLOYED)
    machines = spec["colonyClusters"][1]["clusterDeploymentSpec"]["config"]["machines"]
    machines[0]["address"] = "<address>"
    assert any("config.machines" in path for path, _ in errors(spec))


def test_every_machine_in_the_table_has_an_accelerator_that_is_known():
    seen: set[str] = set()
    for accelerators, machines in _data()["machines"].items():
        name, count = parse_accelerators(accelerators)
        assert find(name) is not None
        assert count >= 1
        assert not seen & set(machines)
        seen |= set(machines)


def test_every_layer_in_the_table_exists():
    assert set(_data()["layers"].values()) <= set(charts.names())

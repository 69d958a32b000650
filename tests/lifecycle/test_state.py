from __future__ import annotations

import yaml

from colony.lifecycle.releases import interrupted_releases
from colony.lifecycle.state import is_empty, live_clusters, manifests, pending, plain

ARN = "arn:aws:eks:us-east-1:000000000000:cluster/demo-main"
SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "plaintext": '"the kubeconfig"',
}


def provider(identifier, name="demo-main-kubernetes"):
    return {
        "urn": f"urn:pulumi:demo::colony::pulumi:providers:kubernetes::{name}",
        "type": "pulumi:providers:kubernetes",
        "inputs": {"clusterIdentifier": identifier, "kubeconfig": SECRET},
    }


def cluster():
    return {
        "urn": "urn:pulumi:demo::colony::aws:eks/cluster:Cluster::demo-main",
        "type": "aws:eks/cluster:Cluster",
        "id": "demo-main",
        "outputs": {"arn": ARN},
    }


def test_a_cluster_is_ours_only_when_the_state_owns_it():
    found = live_clusters({"resources": [cluster(), provider(ARN), provider("uid-1", "theirs")]})
    assert [(each.name, each.cloud, each.ours) for each in found] == [
        ("demo-main", "aws", True),
        ("theirs", "existing", False),
    ]


def test_a_cluster_that_was_refused_is_not_there_to_be_talked_to():
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    assert live_clusters({"resources": [cluster(), provider(unknown)]}) == []


def test_secrets_are_opened_where_the_export_has_them():
    assert live_clusters({"resources": [provider(ARN)]})[0].kubeconfig == "the kubeconfig"
    assert plain({"a": [{**SECRET, "ciphertext": "x"}]}) == {"a": ["the kubeconfig"]}


def test_a_cluster_is_reached_in_the_context_of_its_provider_not_in_the_current_one():
    text = '{"contexts": [{"name": "lab"}], "current-context": "production"}'
    theirs = {**provider("existing/lab"), "id": "1"}
    theirs["inputs"] = {**theirs["inputs"], "kubeconfig": text, "context": "lab"}
    [found] = live_clusters({"resources": [theirs]})
    assert yaml.safe_load(found.kubeconfig)["current-context"] == "lab"
    release = {
        "type": "kubernetes:helm.sh/v3:Release", "provider": f"{theirs['urn']}::1",
        "inputs": {"name": "kueue", "namespace": "kueue-system"},
    }  # fmt: skip
    half = {
        "resources": [theirs],
        "pending_operations": [{"type": "creating", "resource": release}],
    }
    [interrupted] = interrupted_releases(half)
    assert interrupted.kubeconfig == found.kubeconfig


def test_a_pending_operation_is_not_empty():
    half = {"resources": [], "pending_operations": [{"type": "creating", "resource": {"urn": "u"}}]}
    assert pending(half) == [("creating", "u")]
    assert not is_empty(half)
    assert is_empty({"resources": None})


def test_an_object_is_as_the_engine_was_given_it():
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}}
    other = {**job, "apiVersion": "batch.volcano.sh/v1alpha1"}
    found = {
        "resources": [
            {"type": "kubernetes:batch/v1:Job", "inputs": {**job, "spec": SECRET}},
            {"type": "kubernetes:batch.volcano.sh/v1alpha1:Job", "inputs": other},
            {"type": "kubernetes:helm.sh/v3:Release", "inputs": {"name": "train"}},
            cluster(),
        ]
    }
    assert manifests(found, "Job.batch") == [{**job, "spec": "the kubeconfig"}]
    assert manifests(found, "Job.batch.volcano.sh") == [other]

"""The second store of the simulated `kubernetes` package: a real API server, without an engine."""

import base64
import json
import threading
import time

import pytest

from colony.kubeapi import KubeApi
from colony.rehearsal import realobjects
from colony.rehearsal.calls import Call, Config, Refusal
from colony.rehearsal.faults import parse_faults
from colony.rehearsal.marks import MARK
from colony.rehearsal.package import load_packages
from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.realserver import RealServer
from colony.rehearsal.simulation import Simulation
from colony.rehearsal.state import Store

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
SERVICE = "kubernetes:core/v1:Service"
NAMESPACE = "kubernetes:core/v1:Namespace"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
RELEASE = "kubernetes:helm.sh/v3:Release"
HOLD = "example.com/hold"


class Bench:
    """One world's far end over the test bed: an EKS cluster's objects are there."""

    def __init__(self, folder, plane):
        folder.mkdir()
        self.folder = folder
        self.real = RealCluster.of(plane.kubeconfig)
        api = KubeApi(self.real.kubeconfig())
        self.simulation = Simulation(
            Store(folder),
            load_packages(),
            0,
            b"key",
            parse_faults([]),
            clusters=lambda cloud, package, lock: RealServer(
                cloud, package, api, self.real.mark, lock
            ),
        )
        self.config = Config("us-east-1", {}, {"clusterIdentifier": ""})
        vpc = self.make("aws:ec2/vpc:Vpc", "vpc", cidrBlock="10.0.0.0/16")
        subnet = self.make("aws:ec2/subnet:Subnet", "subnet", vpcId=vpc.id, cidrBlock="10.0.1.0/24")
        role = self.make("aws:iam/role:Role", "role", assumeRolePolicy="{}")
        self.eks = self.make(
            "aws:eks/cluster:Cluster", "main",
            roleArn=role.outputs["arn"], vpcConfig={"subnetIds": [subnet.id]},
        )  # fmt: skip
        self.arn = self.eks.outputs["arn"]
        self.config = Config("us-east-1", {}, {"clusterIdentifier": self.arn})

    def call(self, op, type_, name, inputs=None, **more):
        package = self.simulation.packages[type_.partition(":")[0]]
        urn = f"urn:pulumi:first::colony::{type_}::{name}"
        return Call(op, package, type_, urn, name, inputs or {}, self.config, **more)

    def make(self, type_, name, /, timeout=0, secrets=frozenset(), **inputs):
        more = {"timeout": timeout, "secrets": secrets}
        checked, failures = self.simulation.check(self.call("create", type_, name, inputs, **more))
        assert not failures, failures
        return self.simulation.perform(self.call("create", type_, name, checked, **more))

    def object(self, type_, name, timeout=0, **inputs):
        kind = type_.rpartition(":")[2]
        version = type_.split(":")[1].removeprefix("core/")
        whole = {"apiVersion": version, "kind": kind, **inputs}
        whole["metadata"] = {"name": name, **whole.get("metadata", {})}
        return self.make(type_, name, timeout, **whole)

    def change(self, type_, name, made, **inputs):
        old = {k: made.outputs[k] for k in ("apiVersion", "kind")}
        metadata = {k: made.outputs["metadata"].get(k) for k in ("name", "namespace")}
        whole = {**old, "metadata": {**metadata, **inputs.pop("metadata", {})}, **inputs}
        return self.simulation.perform(
            self.call("update", type_, name, whole, id=made.id, olds=made.outputs)
        )

    def delete(self, type_, name, made, timeout=0):
        return self.simulation.perform(
            self.call("delete", type_, name, id=made.id, olds=made.outputs, timeout=timeout)
        )

    def read(self, type_, name, made):
        return self.simulation.read(self.call("read", type_, name, id=made.id, olds=made.outputs))

    def types(self):
        return [thing.type for thing in self.simulation.store.world.things.values()]


@pytest.fixture
def bench(plane, tmp_path):
    return Bench(tmp_path / "world", plane)


def refused(do, *args, **more):
    with pytest.raises(Refusal) as caught:
        do(*args, **more)
    return caught.value


def managers(found):
    return {each["manager"] for each in found["metadata"]["managedFields"]}


def in_(namespace, **more):
    return {"namespace": namespace, **more}


def test_an_object_is_applied_read_changed_and_really_deleted(bench, cluster, namespace):
    made = bench.object(CONFIG_MAP, "c", metadata=in_(namespace), data={"a": "1", "b": "2"})
    found = cluster.get("v1/ConfigMap", "c", namespace)
    assert (made.id, found["data"], managers(found)) == (
        f"{namespace}/c", {"a": "1", "b": "2"}, {"colony"},
    )  # fmt: skip
    assert made.outputs["metadata"]["uid"] == found["metadata"]["uid"]
    changed = bench.change(CONFIG_MAP, "c", made, data={"a": "3"})
    assert cluster.get("v1/ConfigMap", "c", namespace)["data"] == {"a": "3"}
    assert bench.read(CONFIG_MAP, "c", changed)[1]["data"] == {"a": "3"}
    bench.delete(CONFIG_MAP, "c", changed)
    assert cluster.get("v1/ConfigMap", "c", namespace) is None
    assert bench.read(CONFIG_MAP, "c", changed) is None
    bench.delete(CONFIG_MAP, "c", changed)  # twice is once


def test_what_somebody_else_made_is_neither_taken_over_nor_deleted(bench, cluster, namespace):
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {"a": "0"},
    }
    cluster.apply(theirs, namespace=namespace)
    error = refused(bench.object, CONFIG_MAP, "c", metadata=in_(namespace), data={"a": "1"})
    assert (error.code, error.message) == ("AlreadyExists", 'configmaps "c" already exists')
    assert cluster.get("v1/ConfigMap", "c", namespace)["data"] == {"a": "0"}


def test_one_of_the_same_name_that_came_later_is_left_alone(bench, cluster, namespace):
    made = bench.object(CONFIG_MAP, "c", metadata=in_(namespace))
    cluster.delete("v1/ConfigMap", "c", namespace)
    cluster.assert_gone("v1/ConfigMap", "c", namespace)
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}, namespace=namespace
    )
    assert refused(bench.change, CONFIG_MAP, "c", made, data={"a": "1"}).code == "Conflict"
    bench.delete(CONFIG_MAP, "c", made)
    assert cluster.get("v1/ConfigMap", "c", namespace)


def test_without_its_uid_an_object_is_only_deleted_by_its_label(bench, cluster, namespace):
    made = bench.object(CONFIG_MAP, "c", metadata=in_(namespace))
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}, namespace=namespace
    )
    for name in "cd":
        made.id = f"{namespace}/{name}"
        made.outputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        bench.delete(CONFIG_MAP, name, made)
    assert cluster.get("v1/ConfigMap", "c", namespace) is None
    assert cluster.get("v1/ConfigMap", "d", namespace)


def test_a_field_of_another_manager_is_a_conflict_that_names_it(bench, cluster, namespace):
    made = bench.object(CONFIG_MAP, "c", metadata=in_(namespace), data={"a": "1"})
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c"},
        "data": {"a": "9"},
    }
    cluster.apply(theirs, namespace=namespace, manager="kubectl")
    error = refused(bench.change, CONFIG_MAP, "c", made, data={"a": "2"})
    assert error.code == "Conflict"
    assert ".data.a" in error.message
    assert '"kubectl"' in error.message
    force = {"annotations": {"pulumi.com/patchForce": "true"}}
    bench.change(CONFIG_MAP, "c", made, data={"a": "2"}, metadata=force)
    assert cluster.get("v1/ConfigMap", "c", namespace)["data"] == {"a": "2"}


def test_an_unknown_field_is_refused(bench, namespace):
    kind = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": namespace},
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [{"name": "c", "image": "x"}],
        "hostNetwrk": True,
    }
    call = bench.call(
        "create", "kubernetes:batch/v1:Job", "j", {**kind, "spec": {"template": {"spec": pod}}}
    )
    assert "hostNetwrk" in refused(bench.simulation.perform, call).message


def test_a_namespace_is_active_when_it_is_made_and_gone_when_it_is_deleted(bench, cluster):
    made = bench.object(NAMESPACE, "fresh")
    assert (made.id, made.outputs["status"]["phase"]) == ("fresh", "Active")
    inside = bench.object(CONFIG_MAP, "c", metadata=in_("fresh"))
    bench.delete(NAMESPACE, "fresh", made)
    assert cluster.get("v1/Namespace", "fresh") is None
    assert bench.read(CONFIG_MAP, "c", inside) is None


def test_a_definition_is_served_before_its_objects_are_made(bench, cluster):
    error = refused(bench.object, "kubernetes:example.com/v1:Ship", "s")
    assert error.code == "NoMatch"
    schema = {"type": "object", "x_kubernetes_preserve_unknown_fields": True}
    spec = {
        "group": "example.com", "scope": "Cluster", "names": {"kind": "Ship", "plural": "ships"},
        "versions": [{"name": "v1", "served": True, "storage": True,
                      "schema": {"openAPIV3Schema": schema}}],
    }  # fmt: skip
    made = bench.object(DEFINITION, "ships.example.com", spec=spec)
    ship = bench.object("kubernetes:example.com/v1:Ship", "s", spec={"sails": 3})
    assert (ship.id, "namespace" in ship.outputs["metadata"]) == ("s", False)
    bench.delete(DEFINITION, "ships.example.com", made)
    assert bench.read("kubernetes:example.com/v1:Ship", "s", ship) is None
    bench.delete("kubernetes:example.com/v1:Ship", "s", ship)  # its kind is gone, and it with it


def deployment(ready_after=""):
    stage = "pod-ready.stage.kwok.x-k8s.io"
    pace = {f"{stage}/delay": ready_after, f"{stage}/jitter-delay": ready_after}
    return {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}, "annotations": pace if ready_after else {}},
            "spec": {"containers": [{"name": "c", "image": "fake/web:1"}]},
        },
    }


def test_a_deployment_is_awaited(bench, cluster, namespace):
    made = bench.object(DEPLOYMENT, "web", metadata=in_(namespace), spec=deployment())
    assert made.outputs["status"]["availableReplicas"] == 2
    bench.delete(DEPLOYMENT, "web", made)
    assert cluster.list("v1/Pod", namespace) == []  # foreground: what it made went first


def test_what_does_not_become_ready_fails_after_its_deadline_and_is_there(
    bench, cluster, namespace
):
    slow = deployment(ready_after="1h")
    error = refused(bench.object, DEPLOYMENT, "web", 1.5, metadata=in_(namespace), spec=slow)
    assert "0 of 2 pods are available" in error.message
    assert error.half.id == f"{namespace}/web"
    assert cluster.get("apps/v1/Deployment", "web", namespace)
    skip = {"annotations": {"pulumi.com/skipAwait": "true"}}
    bench.change(DEPLOYMENT, "web", error.half, spec=slow, metadata=skip)
    bench.delete(DEPLOYMENT, "web", error.half)


def test_a_wait_ends_when_the_engine_is_stopped(bench, namespace):
    slow = deployment(ready_after="1h")
    threading.Timer(0.5, bench.config.stopped.set).start()
    began = time.monotonic()
    error = refused(bench.object, DEPLOYMENT, "web", metadata=in_(namespace), spec=slow)
    assert (error.code, time.monotonic() - began < 10) == ("Cancelled", True)


def test_a_stuck_finalizer_is_named(bench, cluster, namespace):
    made = bench.object(CONFIG_MAP, "c", metadata=in_(namespace, finalizers=[HOLD]))
    error = refused(bench.delete, CONFIG_MAP, "c", made, timeout=1)
    assert f"is still there after 1 s: held by finalizer {HOLD}" in error.message
    cluster.patch("v1/ConfigMap", "c", {"metadata": {"finalizers": None}}, namespace)
    bench.delete(CONFIG_MAP, "c", made)


def test_a_namespace_that_cannot_go_says_what_holds_it(bench, cluster):
    made = bench.object(NAMESPACE, "stuck")
    bench.object(CONFIG_MAP, "c", metadata=in_("stuck", finalizers=[HOLD]))
    error = refused(bench.delete, NAMESPACE, "stuck", made, timeout=5)
    assert HOLD in error.message
    cluster.patch("v1/ConfigMap", "c", {"metadata": {"finalizers": None}}, "stuck")
    bench.delete(NAMESPACE, "stuck", made)


def test_a_deleted_cluster_takes_its_objects_along_and_nobody_elses(
    bench, cluster, namespace, plane, tmp_path, monkeypatch
):
    monkeypatch.setattr(realobjects, "FORGET", 1.0)
    other = Bench(tmp_path / "other", plane)
    theirs = other.object(CONFIG_MAP, "theirs", metadata=in_(namespace))
    bench.object(NAMESPACE, "ours")
    bench.object(CONFIG_MAP, "in-ours", metadata=in_("ours", finalizers=[HOLD]))
    bench.object(CONFIG_MAP, "mine", metadata=in_(namespace, finalizers=[HOLD]))
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "users"}},
        namespace=namespace,
    )
    bench.delete("aws:eks/cluster:Cluster", "main", bench.eks)
    assert cluster.get("v1/Namespace", "ours") is None
    assert cluster.get("v1/ConfigMap", "mine", namespace) is None
    assert cluster.get("v1/ConfigMap", "users", namespace)
    assert other.read(CONFIG_MAP, "theirs", theirs)


def test_a_load_balancer_comes_from_the_simulated_cloud_and_outlives_its_cluster(
    bench, cluster, namespace
):
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    made = bench.object(SERVICE, "web", metadata=in_(namespace), spec=spec)
    (ingress,) = cluster.get("v1/Service", "web", namespace)["status"]["loadBalancer"]["ingress"]
    assert ingress == made.outputs["status"]["loadBalancer"]["ingress"][0]
    assert "aws:lb/loadBalancer:LoadBalancer" in bench.types()
    bench.delete("aws:eks/cluster:Cluster", "main", bench.eks)
    assert cluster.get("v1/Service", "web", namespace) is None
    assert "aws:lb/loadBalancer:LoadBalancer" in bench.types()


def test_a_drain_lists_and_deletes_only_what_this_world_has_made(bench, cluster, namespace):
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    bench.object(SERVICE, "web", metadata=in_(namespace), spec=spec)
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs"}, "spec": spec}
    cluster.apply(theirs, namespace=namespace)
    kubernetes = bench.simulation.kubernetes
    listed = kubernetes.objects(bench.arn, "Service")
    assert [each["metadata"]["name"] for each in listed] == ["web"]
    bench.simulation.change(
        "remove", lambda: kubernetes.discard(bench.arn, "Service", namespace, "web")
    )
    cluster.assert_gone("v1/Service", "web", namespace)
    assert "aws:lb/loadBalancer:LoadBalancer" not in bench.types()
    assert refused(kubernetes.discard, bench.arn, "Service", namespace, "theirs").code == "NotFound"


def test_a_release_is_only_recorded(bench, cluster, namespace):
    chart = {"chart": "kueue", "name": "kueue", "namespace": namespace}
    made = bench.make(RELEASE, "kueue", **chart)
    assert made.outputs["status"]["status"] == "deployed"
    assert cluster.leftovers(namespace) == []
    bench.delete(RELEASE, "kueue", made)
    nowhere = {**chart, "namespace": "nowhere"}
    assert refused(bench.make, RELEASE, "kueue", **nowhere).code == "NotFound"


def test_a_secret_is_secret_in_the_state_and_a_digest_in_the_journal(bench, cluster, namespace):
    made = bench.object(SECRET, "s", metadata=in_(namespace), stringData={"token": "canary-77"})
    found = cluster.get("v1/Secret", "s", namespace)["data"]["token"]
    assert base64.b64decode(found) == b"canary-77"
    assert any(path[:1] == ("data",) for path in made.secrets)
    journal = (bench.folder / "journal.jsonl").read_text()
    assert found not in journal
    assert "canary-77" not in journal


def test_what_was_done_took_the_time_that_it_really_took(bench, namespace):
    spec = deployment(ready_after="2s")
    bench.object(DEPLOYMENT, "web", metadata=in_(namespace), spec=spec)
    bench.object(CONFIG_MAP, "c", metadata=in_(namespace))
    lines = (bench.folder / "journal.jsonl").read_text().splitlines()
    took = {entry["type"]: entry["seconds"] for entry in map(json.loads, lines)}
    assert 0 < took[CONFIG_MAP] < 2 <= took[DEPLOYMENT] < 20


def test_everything_carries_the_label_of_its_world(bench, cluster, namespace):
    bench.object(CONFIG_MAP, "c", metadata=in_(namespace, labels={"mine": "1"}))
    labels = cluster.get("v1/ConfigMap", "c", namespace)["metadata"]["labels"]
    assert labels["mine"] == "1"
    assert labels[MARK].startswith(f"{bench.real.mark}.")

"""An existing cluster is used and left: nothing of ours remains, nothing of theirs has changed.

Compared object by object, over every kind that the API server can list.
"""

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

THEIRS = """
apiVersion: v1
kind: Namespace
metadata: {name: theirs, labels: {team: them}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: theirs, annotations: {note: keep}}
data: {colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: theirs}
stringData: {word: swordfish}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: colony-outputs, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: theirs}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: theirs}
value: 10
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.theirs.example}
spec:
  group: theirs.example
  names: {kind: Ship, plural: ships}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: theirs}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
SHIP = {
    "apiVersion": "theirs.example/v1", "kind": "Ship", "metadata": {"name": "titanic"},
    "spec": {"decks": 9},
}  # fmt: skip
MOVING = {"v1/Node", "coordination.k8s.io/v1/Lease", "discovery.k8s.io/v1/EndpointSlice"}
"""Kinds that controllers of the cluster write by themselves: their content may move."""
COLONY = {
    "apiVersion": "colony/v1", "kind": "Colony", "name": "guest",
    "clusters": [{"name": "main", "cloud": "existing"}],
    "layers": {"gpu-operator": "off", "jobset": "off", "kueue": "off"},
    "queues": [{"project": "visitors", "gpus": 0}],
    "teardown": {"grace": "0s"},
    "idle": {"delete": "2h"},
    "jobs": [
        {"name": "train", "backend": "job", "nodes": 2, "run": "true", "queue": "visitors",
         "secrets": {"TOKEN": "hunter2"}, "resources": {"accelerators": "H100:8"}},
        {"name": "second", "backend": "job", "run": "true"},
    ],
}  # fmt: skip


@pytest.fixture
def theirs(cluster):
    """What somebody else has in the cluster."""
    cluster.apply(THEIRS)
    cluster.condition(
        "apiextensions.k8s.io/v1/CustomResourceDefinition", "ships.theirs.example", "Established"
    )
    cluster.wait(lambda: cluster.serves("theirs.example/v1", "ships"))
    cluster.apply(SHIP, namespace="theirs")
    yield
    cluster.delete("v1/Namespace", "theirs")
    cluster.delete("v1/ServiceAccount", "colony-outputs", "default")
    cluster.delete("scheduling.k8s.io/v1/PriorityClass", "theirs")
    cluster.delete("apiextensions.k8s.io/v1/CustomResourceDefinition", "ships.theirs.example")


@pytest.fixture
def file(tmp_path):
    def write(**changes):
        path = tmp_path / "guest.yaml"
        path.write_text(yaml.safe_dump({**COLONY, **changes}))
        return path

    return write


def seen(cluster):
    """Every object; its version too, unless the cluster itself writes it."""
    found = {}
    for key, one in cluster.everything().items():
        if "/test-" in key or " test-" in key:  # namespaces of other tests go in their own time
            continue
        metadata = dict(one["metadata"])
        moving = key.partition(" ")[0] in MOVING
        if moving:
            found[key] = metadata["uid"] if "Lease" not in key else ""
        else:
            found[key] = {**one, "metadata": metadata}
    return found


def test_a_colony_leaves_an_existing_cluster_as_it_was(theirs, cluster, world, file):
    before = seen(cluster)
    assert "theirs.example/v1/Ship theirs/titanic" in before
    done = colony("up", file(), "--world", world, "--yes", deadline=280)
    assert done.code == 0, done.out + done.err
    ours = seen(cluster).keys() - before.keys()
    kinds = {key.partition(" ")[0] for key in ours}
    assert {"batch/v1/Job", "v1/Secret", "v1/Namespace", "apps/v1/Deployment"} <= kinds

    done = colony("down", "guest", "--world", world, "--yes", deadline=280)
    assert done.code == 0, done.out + done.err
    assert differences(before, settled(cluster, before)) == []
    assert left(world) == []


def settled(cluster, before):
    """When the cluster's own collector has taken what its owner left."""
    cluster.wait(lambda: not seen(cluster).keys() - before.keys(), message="all of it is gone")
    return seen(cluster)


def differences(before, after):
    gone = [f"gone: {key}" for key in before.keys() - after.keys()]
    new = [f"left: {key}" for key in after.keys() - before.keys()]
    changed = [
        f"changed: {key}: {before[key]} -> {after[key]}"
        for key in before.keys() & after.keys()
        if before[key] != after[key]
    ]
    return gone + new + changed

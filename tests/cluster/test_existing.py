"""An existing cluster is used and left: nothing of ours remains, nothing of theirs has changed.

Compared object by object, over every kind that the API server can list, however a colony ends.
"""

import chart_store
import pytest
import yaml
from colony_command import Running, colony
from snapshot import settled, taken
from testbed import build
from testbed.plane import LOOPBACK

from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World, left

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
apiVersion: v1
kind: ResourceQuota
metadata: {name: share, namespace: theirs}
spec: {hard: {pods: "9", requests.nvidia.com/gpu: "8"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: usual, namespace: theirs}
spec: {limits: [{type: Container, default: {cpu: "1"}}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: theirs}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: slow
  resources: {requests: {storage: 1Gi}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: slow}
provisioner: theirs.example/none
volumeBindingMode: WaitForFirstConsumer
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
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: theirs}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "theirs/web:1"}]}
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
DEFINITION = "apiextensions.k8s.io/v1/CustomResourceDefinition"
CLUSTER_WIDE = (
    ("v1/Namespace", "theirs"),
    ("storage.k8s.io/v1/StorageClass", "slow"),
    ("scheduling.k8s.io/v1/PriorityClass", "theirs"),
    (DEFINITION, "ships.theirs.example"),
)
TAINT = {"key": "theirs.example/reserved", "value": "them", "effect": "NoSchedule"}
SHIPS = "ships.test.colony.dev"


def lasting(time):
    names = ("delay", "jitter-delay")
    return {
        "metadata": {"annotations": {f"pod-complete.stage.kwok.x-k8s.io/{n}": time for n in names}}
    }


ENDLESS = lasting("1h")
FAILING = {"metadata": {"labels": {"pod-container-running-failed.stage.kwok.x-k8s.io": "true"}}}
OURS = {
    "batch/v1/Job", "v1/Secret", "v1/Namespace", "apps/v1/Deployment", "v1/ConfigMap",
    "apiextensions.k8s.io/v1/CustomResourceDefinition", "v1/ServiceAccount",
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
    "rbac.authorization.k8s.io/v1/Role", "v1/Pod",
}  # fmt: skip
"""Some of each of these was there meanwhile."""
COLONY = {
    "apiVersion": "colony/v1", "kind": "Colony", "name": "guest",
    "clusters": [{"name": "main", "cloud": "existing"}],
    "queues": [{"project": "visitors", "gpus": 0}],
    "teardown": {"grace": "0s"},
    "idle": {"delete": "2h"},
    "jobs": [
        {"name": "train", "backend": "job", "nodes": 2, "run": "true",
         "secrets": {"TOKEN": "hunter2"}, "resources": {"accelerators": "H100:8"}},
    ],
}  # fmt: skip
QUEUED = {"name": "queued", "backend": "job", "run": "true", "queue": "visitors"}
"""Nobody lets it begin: there is no Kueue."""


def second(template=None):
    """A job of one pod beside the first."""
    roles = {"main": {"replicas": 1, "run": "true", **({"template": template} if template else {})}}
    return {"name": "second", "backend": "job", "framework": "custom", "roles": roles}


@pytest.fixture(scope="module")
def helm():
    return build.programs("helm")["helm"]


@pytest.fixture
def repository(helm, tmp_path):
    """A chart with a definition in `crds/`, a hook, a webhook and a Deployment."""
    folder = tmp_path / "charts"
    chart_store.package(helm, chart_store.SHIPS, folder, "1.0.0")
    with chart_store.served(chart_store.files(folder)) as port:
        url = f"http://{LOOPBACK}:{port}"
        chart_store.repository(helm, folder, url)
        yield url


@pytest.fixture
def world(plane, helm, cluster, tmp_path):
    """Its engine writes each step down, as on a real cloud; releases are really installed."""
    folder = tmp_path / "world"
    real = RealCluster.of(plane.kubeconfig, helm=helm)
    World.create(folder, kubernetes=real, checkpoints=True).close()
    yield folder
    if cluster.get("v1/Namespace", "visitors"):  # the test has failed; the next one must not
        colony("down", "guest", "--world", folder, "--yes")


@pytest.fixture
def theirs(cluster):
    """What somebody else has in the cluster."""
    cluster.apply(THEIRS)
    cluster.condition(DEFINITION, "ships.theirs.example", "Established")
    cluster.wait(lambda: cluster.serves("theirs.example/v1", "ships"))
    cluster.apply(SHIP, namespace="theirs")
    node = sorted(each["metadata"]["name"] for each in cluster.list("v1/Node"))[-1]
    mark_node(cluster, node, {"theirs": "yes"}, [TAINT])
    cluster.condition("apps/v1/Deployment", "web", "Available", "theirs")
    yield
    mark_node(cluster, node, {"theirs": None}, [])
    for kind, name in CLUSTER_WIDE:
        cluster.delete(kind, name)
    cluster.delete("v1/ServiceAccount", "colony-outputs", "default")
    for kind, name in CLUSTER_WIDE:
        cluster.assert_gone(kind, name)


def mark_node(cluster, node, labels, taints):
    kept = cluster.get("v1/Node", node)["spec"].get("taints") or []
    others = [each for each in kept if each["key"] != TAINT["key"]]
    change = {"metadata": {"labels": labels}, "spec": {"taints": [*others, *taints]}}
    cluster.patch("v1/Node", node, change)


@pytest.fixture
def before(cluster, theirs):
    """All that there is, now that nothing of theirs moves any more."""
    last = [taken(cluster)]

    def quiet():
        found, last[0] = last[0], taken(cluster)
        return found == last[0]

    cluster.wait(quiet)
    assert "theirs.example/v1/Ship theirs/titanic" in last[0]
    return last[0]


@pytest.fixture
def file(tmp_path, repository):
    def write(*jobs):
        ships = {
            "chart": "ships", "repository": repository, "version": "1.0.0", "timeout": "60s",
            "values": {"webhook": "https://127.0.0.1:9/", "hookSeconds": 1},
        }  # fmt: skip
        layers = {**dict.fromkeys(("gpu-operator", "jobset", "kueue"), "off"), "fleet": ships}
        path = tmp_path / "guest.yaml"
        content = {**COLONY, "layers": layers, "jobs": [*COLONY["jobs"], *jobs]}
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def kinds(cluster, before):
    """Of what is there now and was not before."""
    return {key.partition(" ")[0] for key in taken(cluster).keys() - before.keys()}


def running(cluster):
    pods = cluster.list("v1/Pod", "default", labels="colony.dev/job=second")
    return any((pod.get("status") or {}).get("phase") == "Running" for pod in pods)


def test_up_and_down_leave_an_existing_cluster_as_it_was(before, cluster, world, file):
    done = colony("up", file(second(), QUEUED), "--world", world, "--yes")
    assert done.code == 0, done.out + done.err
    assert kinds(cluster, before) >= OURS
    done = colony("down", "guest", "--world", world, "--yes")
    assert done.code == 0, done.out + done.err
    assert settled(cluster, before) == []
    assert left(world) == []


def test_one_that_the_file_renames_is_left_first_and_as_it_was_in_the_end(
    before, cluster, world, file
):
    done = colony("up", file(), "--world", world, "--yes")
    assert done.code == 0, done.out + done.err
    path = file()
    path.write_text(path.read_text().replace("name: main", "name: other"))
    done = colony("up", path, "--world", world, "--yes")
    assert done.code == 0, done.out + done.err
    assert "moved or renamed by the file: main" in done.out
    assert kinds(cluster, before) >= {"apps/v1/Deployment", "batch/v1/Job"}
    done = colony("down", "guest", "--world", world, "--yes")
    assert done.code == 0, done.out + done.err
    assert settled(cluster, before) == []


def test_a_whole_run_leaves_an_existing_cluster_as_it_was(before, cluster, world, file):
    argv = ("run", file(second(lasting("20s"))), "--world", world, "--yes", "--format", "json")
    done = Running(*argv).until(lambda: kinds(cluster, before) >= OURS).end()
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert {name: each["outcome"] for name, each in done.json["jobs"].items()} == {
        "train": "succeeded", "second": "succeeded",
    }  # fmt: skip
    assert done.json["billable_left"] == done.json["also_left"] == done.json["notes"] == []
    assert settled(cluster, before) == []


def test_so_does_one_whose_job_fails(before, cluster, world, file):
    argv = ("run", file(second(FAILING)), "--world", world, "--yes", "--format", "json")
    done = colony(*argv)
    assert (done.code, done.json["outcome"]) == (1, "failed"), done.err
    assert settled(cluster, before) == []


def test_so_does_one_that_is_interrupted(before, cluster, world, file):
    argv = ("run", file(second(ENDLESS)), "--world", world, "--yes", "--format", "json")
    done = Running(*argv).until(lambda: running(cluster)).interrupt()
    assert (done.code, done.json["outcome"]) == (130, "cancelled"), done.err
    assert settled(cluster, before) == []


@pytest.mark.parametrize("end", [("down", "guest", "--yes"), ("reap", "--yes")])
def test_so_does_one_that_is_killed_once_it_is_ended(end, before, cluster, world, file):
    argv = ("run", file(second(ENDLESS)), "--world", world, "--yes")
    Running(*argv).until(lambda: running(cluster)).kill()
    assert kinds(cluster, before) >= OURS
    done = colony(*end, "--world", world)
    assert done.code == 0, done.out + done.err
    assert settled(cluster, before) == []


def test_a_definition_of_which_somebody_has_an_object_stays(before, cluster, world, file):
    done = colony("up", file(second()), "--world", world, "--yes")
    assert done.code == 0, done.out + done.err
    ship = {"apiVersion": "test.colony.dev/v1", "kind": "Ship", "metadata": {"name": "guest"}}
    cluster.apply(ship, namespace="theirs")
    done = colony("down", "guest", "--world", world, "--yes")
    assert f"the CRD {SHIPS} stays: 1 object of it" in done.out + done.err
    assert cluster.get("test.colony.dev/v1/Ship", "guest", "theirs")
    cluster.delete("test.colony.dev/v1/Ship", "guest", "theirs")
    cluster.delete(DEFINITION, SHIPS)
    assert (done.code, settled(cluster, before)) == (0, [])

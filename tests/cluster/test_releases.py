"""Releases by the real engine and real Helm on the real API server: charts of our own making,
from an HTTP repository and from an OCI registry, both on loopback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import chart_store
import psutil
import pytest
from testbed import build
from testbed.certs import Authority
from testbed.plane import LOOPBACK

from colony.kubeapi import KubeApi
from colony.lifecycle.releases import interrupted_releases, unlock
from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

DRIVE = Path(__file__).parents[1] / "rehearsal" / "helpers" / "drive.py"
DEFINITION = "apiextensions.k8s.io/v1/CustomResourceDefinition"
WEBHOOK = "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration"
LAYER = """
import json, os
import charts
from components.clusters.base import ClusterRequest
from components.clusters.existing.cluster import ExistingCluster
from components.layer_choice import ChosenLayer
from components.layer_spec import LayerChoice
from components.layers import build_layers
from components.placement import ClusterPlacement

place = ClusterPlacement(name="main", cloud="existing", region="", context="test")
layer = charts.Layer.model_validate(json.loads(os.environ["LAYER"]))
chosen = ChosenLayer(layer, LayerChoice(), layer.values)
build_layers("t", ExistingCluster("t", ClusterRequest("t", place)), [chosen])
"""
OCI = """
import json, os
import pulumi, pulumi_kubernetes as kubernetes

provider = kubernetes.Provider("p", context="test", cluster_identifier="existing/test")
kubernetes.helm.v3.Release(
    "oci", **json.loads(os.environ["RELEASE"]), opts=pulumi.ResourceOptions(provider=provider)
)
"""


@pytest.fixture(scope="module")
def helm():
    return build.programs("helm")["helm"]


@pytest.fixture(scope="module")
def packages(helm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    return {
        version: chart_store.package(helm, chart_store.SHIPS, folder, version)
        for version in ("1.0.0", "1.1.0")
    }


@pytest.fixture
def repository(helm, packages):
    folder = packages["1.0.0"].parent
    with chart_store.served(chart_store.files(folder)) as port:
        url = f"http://{LOOPBACK}:{port}"
        chart_store.repository(helm, folder, url)
        yield url


@pytest.fixture
def webhook(tmp_path):
    """(its URL, its authority as caBundle, the names it was asked about)"""
    authority, asked = Authority(tmp_path / "webhook"), []
    with chart_store.served(chart_store.ships_webhook(asked), authority) as port:
        yield f"https://{LOOPBACK}:{port}/", authority.bundle(), asked


@pytest.fixture
def world(plane, helm, tmp_path):
    real = RealCluster.of(plane.kubeconfig, helm=helm)
    made = World.create(tmp_path / "world", kubernetes=real, checkpoints=True)
    made.add_cluster("existing/test")
    yield made
    made.stop()


@pytest.fixture
def clean(cluster):
    """Helm leaves what is in a chart's crds/."""
    yield
    cluster.delete(DEFINITION, "ships.test.colony.dev")
    cluster.assert_gone(DEFINITION, "ships.test.colony.dev")


class Driven:
    """A program under the real engine in a process of its own."""

    def __init__(self, world, folder, program, *operations, **environment):
        path = folder / "program.py"
        path.write_text(program)
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVE), str(path), *operations],
            env={**world.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def done(self):
        out, err = self.process.communicate(timeout=150)
        assert self.process.returncode == 0, err[-4000:]
        return json.loads(out.splitlines()[-1])


def fine(step):
    assert step["ok"], json.dumps(step.get("failures"), indent=1)


def layer(repository, webhook, version="1.0.0", seconds=1, timeout=60, **values):
    values |= {"webhook": webhook, "hookSeconds": seconds}
    return json.dumps(
        {
            "name": "ships", "title": "Ships", "chart": "ships", "repository": repository,
            "version": version, "namespace": "ships-test", "timeout": timeout,
            "provides": {"crds": ["ships.test.colony.dev"]}, "values": values,
            "sources": ["tests/support"],
        }
    )  # fmt: skip


def ship(name, sails):
    return {
        "apiVersion": "test.colony.dev/v1", "kind": "Ship", "metadata": {"name": name},
        "spec": {"sails": sails},
    }  # fmt: skip


def greeting(cluster):
    found = cluster.get("v1/ConfigMap", "ships", "ships-test")
    return (found["data"]["greeting"], found["data"]["chart"])


@pytest.mark.usefixtures("clean")
def test_a_layer_is_installed_upgraded_and_uninstalled(
    cluster, world, repository, webhook, tmp_path
):
    from kubernetes.client import ApiException

    url, authority, asked = webhook
    up, again = Driven(world, tmp_path, LAYER, "up", "up", LAYER=layer(repository, url)).done()
    fine(up)
    assert "create" not in again["changes"] and "update" not in again["changes"]
    assert greeting(cluster) == ("ahoy", "1.0.0")
    hook = cluster.get("batch/v1/Job", "ships-launch", "ships-test")
    assert hook["status"]["succeeded"] == 1

    # Who injects authorities does so at run time; an upgrade leaves that alone.
    trust = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": authority}]
    json_patch(cluster, WEBHOOK, "ships-ships-test", trust)

    def refused():
        try:
            cluster.apply(ship("big", 12), namespace="ships-test")
        except ApiException as error:
            return "too many sails" in str(error.body)
        return False

    cluster.wait(refused)
    cluster.apply(ship("small", 3), namespace="ships-test")
    assert {"big", "small"} <= set(asked)
    [same] = Driven(world, tmp_path, LAYER, "up", LAYER=layer(repository, url)).done()
    assert set(same["changes"]) == {"same"}

    newer = layer(repository, url, "1.1.0", greeting="hello")
    [up] = Driven(world, tmp_path, LAYER, "up", LAYER=newer).done()
    assert up["changes"]["update"] == 1
    assert greeting(cluster) == ("hello", "1.1.0")
    found = cluster.get(WEBHOOK, "ships-ships-test")
    assert found["webhooks"][0]["clientConfig"]["caBundle"] == authority

    [down] = Driven(world, tmp_path, LAYER, "destroy", LAYER=newer).done()
    fine(down)
    assert cluster.get("v1/Namespace", "ships-test") is None
    assert cluster.get(WEBHOOK, "ships-ships-test") is None
    assert world.left() == []


@pytest.mark.usefixtures("clean")
def test_a_chart_of_an_oci_registry_is_installed(
    cluster, world, packages, webhook, namespace, tmp_path
):
    authority = Authority(tmp_path / "registry")
    charts = {"ships:1.0.0": packages["1.0.0"], "ships:1.1.0": packages["1.1.0"]}
    with chart_store.served(chart_store.registry(charts), authority) as port:
        release = {
            "name": "ships", "chart": f"oci://{LOOPBACK}:{port}/charts/ships", "atomic": True,
            "namespace": namespace, "timeout": 60, "values": {"webhook": webhook[0]},
            "repository_opts": {"ca_file": str(authority.certificate)},
        }  # fmt: skip
        for version in ("1.0.0", "1.1.0"):
            given = json.dumps({**release, "version": version})
            [up] = Driven(world, tmp_path, OCI, "up", RELEASE=given).done()
            fine(up)
            found = cluster.get("v1/ConfigMap", "ships", namespace)
            assert found["data"]["chart"] == version
        [down] = Driven(world, tmp_path, OCI, "destroy", RELEASE=given).done()
        fine(down)
    assert cluster.get("v1/ConfigMap", "ships", namespace) is None


@pytest.mark.usefixtures("clean")
def test_an_install_that_fails_takes_back_what_it_made(
    cluster, world, repository, webhook, tmp_path
):
    slow = layer(repository, webhook[0], seconds=600, timeout=3)
    up, down = Driven(world, tmp_path, LAYER, "up", "destroy", LAYER=slow).done()
    [said] = [text for urn, text in up["failures"].items() if urn.endswith("::t-ships")]
    assert "timed out" in said
    assert helm_records(cluster) == []
    fine(down)


@pytest.mark.usefixtures("clean")
def test_an_install_that_was_killed_is_finished_by_the_next_run(
    cluster, plane, world, repository, webhook, tmp_path
):
    slow = layer(repository, webhook[0], seconds=600, timeout=200)
    running = Driven(world, tmp_path, LAYER, "up", LAYER=slow)
    cluster.wait(lambda: helm_records(cluster) == ["pending-install"])
    killed = kill(running, world)
    assert killed == {"helm", "pulumi"}
    assert helm_records(cluster) == ["pending-install"]

    quick = layer(repository, webhook[0])
    unlocked(world)
    [stuck] = Driven(world, tmp_path, LAYER, "up", LAYER=quick).done()
    assert "cannot re-use a name" in json.dumps(stuck)  # without us
    unlock_all(world, plane)
    up, down = Driven(world, tmp_path, LAYER, "up", "destroy", LAYER=quick).done()
    fine(up)
    fine(down)
    assert cluster.get("v1/Namespace", "ships-test") is None


def kill(running, world):
    """As a machine that goes down would: the engine, and Helm."""
    session = os.getsid(running.process.pid)
    ours = [p for p in psutil.process_iter() if sid(p.pid) == session]
    world_process = json.loads((world.dir / "server.json").read_text())["pid"]
    ours += psutil.Process(world_process).children()
    names = {process.name() for process in ours}
    for process in ours:
        process.send_signal(signal.SIGKILL)
    running.process.communicate(timeout=30)
    return {"helm" if name == "program" else name for name in names} & {"helm", "pulumi"}


def sid(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def unlocked(world):
    for lock in (world.dir / "state" / ".pulumi" / "locks").rglob("*.json"):
        lock.unlink()


def unlock_all(world, plane):
    [path] = (world.dir / "state" / ".pulumi" / "stacks" / "colony").glob("first.json")
    deployment = json.loads(path.read_text())["checkpoint"]["latest"]
    found = list(interrupted_releases(deployment))
    assert [(each.namespace, each.name) for each in found] == [("ships-test", "ships")]
    for each in found:
        unlock(KubeApi(plane.kubeconfig.read_text()), each, lambda text, at=None: None)


def helm_records(cluster):
    found = cluster.list("v1/Secret", "ships-test", labels="owner=helm")
    return [each["metadata"]["labels"]["status"] for each in found]


def json_patch(cluster, kind, name, change):
    cluster._kind(kind).patch(
        body=change, name=name, content_type="application/json-patch+json", _request_timeout=30
    )

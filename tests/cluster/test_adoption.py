"""`colony up` on a cluster that has layers already, and after a kill in the middle of an install:
the real engine, real Helm, the real API server."""

import json
import os
import signal
import subprocess

import chart_store
import psutil
import pytest
import yaml
from colony_command import Running, colony
from testbed import build
from testbed.plane import LOOPBACK

from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

DEFINITION = "apiextensions.k8s.io/v1/CustomResourceDefinition"
CRD = "ships.test.colony.dev"
SPACE = "fleet"
NOWHERE = "https://127.0.0.1:9/"
OFF = {"gpu-operator": "off", "jobset": "off", "kueue": "off"}


@pytest.fixture(scope="module")
def helm():
    return build.programs("helm")["helm"]


@pytest.fixture(scope="module")
def folder(helm, tmp_path_factory):
    made = tmp_path_factory.mktemp("packages")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        chart_store.package(helm, chart_store.SHIPS, made, version)
    return made


@pytest.fixture
def repository(helm, folder):
    with chart_store.served(chart_store.files(folder)) as port:
        url = f"http://{LOOPBACK}:{port}"
        chart_store.repository(helm, folder, url)
        yield url


@pytest.fixture
def world(plane, helm, tmp_path):
    return made(plane, helm, tmp_path)


@pytest.fixture
def crashing_world(plane, helm, tmp_path):
    """The engine writes each step down, as on a real cloud."""
    return made(plane, helm, tmp_path, checkpoints=True)


def made(plane, helm, tmp_path, **more):
    folder = tmp_path / "world"
    World.create(folder, kubernetes=RealCluster.of(plane.kubeconfig, helm=helm), **more).close()
    return folder


@pytest.fixture
def theirs(plane, helm, folder, cluster, tmp_path):
    """Installs the chart as somebody else would have; all of it goes at the end."""

    def install(version):
        run("install", "pride", folder / f"ships-{version}.tgz", "--create-namespace", "--wait",
            "--set", f"webhook={NOWHERE}")  # fmt: skip

    def run(verb, *arguments):
        argv = [helm, verb, *arguments, "-n", SPACE, "--kubeconfig", plane.kubeconfig]
        env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        subprocess.run(argv, check=True, capture_output=True, timeout=120, env=env)

    yield install
    if releases(cluster):
        run("uninstall", "pride")
    for kind, name in (("v1/Namespace", SPACE), (DEFINITION, CRD)):
        cluster.delete(kind, name)
        cluster.assert_gone(kind, name)


@pytest.fixture
def clean(cluster):
    """Helm leaves what is in a chart's crds/."""
    yield
    cluster.delete(DEFINITION, CRD)
    cluster.assert_gone(DEFINITION, CRD)


def releases(cluster):
    """(namespace, name, version of the record, status) of Helm's records of the chart."""
    found = cluster.list("v1/Secret", labels="owner=helm")
    ours = [each["metadata"] for each in found if each["metadata"]["namespace"] in (SPACE, "ships")]
    return sorted(
        (each["namespace"], each["labels"]["name"], each["labels"]["version"],
         each["labels"]["status"])
        for each in ours
    )  # fmt: skip


def chart_of(cluster, namespace=SPACE, name="pride"):
    found = cluster.get("v1/ConfigMap", name, namespace)
    return found and found["data"]["chart"]


def file_of(tmp_path, url, version="1.1.0", seconds=1, **existing):
    ships = {
        "chart": "ships", "repository": url, "version": version, "namespace": "ships",
        "timeout": "200s", "values": {"webhook": NOWHERE, "hookSeconds": seconds}, **existing,
    }  # fmt: skip
    return colony_file(tmp_path, {**OFF, "ships": ships})


def colony_file(tmp_path, layers, **more):
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "tiny", "layers": layers,
        "clusters": [{"name": "main", "cloud": "existing"}], **more,
    }  # fmt: skip
    path = tmp_path / "colony.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def up(file, world):
    return colony("up", file, "--yes", "--world", world)


def down(world):
    return colony("down", "tiny", "--yes", "--world", world)


@pytest.mark.parametrize("there", ["1.1.0", "1.2.0"])
def test_the_same_or_a_newer_one_is_used_and_outlives_the_colony(
    cluster, world, theirs, repository, tmp_path, there
):
    theirs(there)
    before = releases(cluster)
    done = up(file_of(tmp_path, repository), world)
    assert done.code == 0, done.err
    assert "ships is on main already" in done.out
    assert down(world).code == 0
    assert (releases(cluster), chart_of(cluster)) == (before, there)


def test_an_older_one_is_refused_without_a_word_and_adopted_with_one(
    cluster, world, theirs, repository, tmp_path
):
    theirs("1.0.0")
    before = releases(cluster)
    refused = up(file_of(tmp_path, repository), world)
    assert (refused.code, "layers.ships.existing" in refused.err) == (2, True)
    assert (releases(cluster), chart_of(cluster)) == (before, "1.0.0")

    done = up(file_of(tmp_path, repository, existing="adopt"), world)
    assert done.code == 0, done.err
    assert chart_of(cluster) == "1.1.0"
    assert {(space, name) for space, name, *_ in releases(cluster)} == {(SPACE, "pride")}
    [definition] = [each for each in cluster.list(DEFINITION) if each["metadata"]["name"] == CRD]
    assert definition  # one owner, one definition

    again = up(file_of(tmp_path, repository, existing="adopt"), world)
    assert again.code == 0, again.err
    assert down(world).code == 0
    assert releases(cluster) == []


def test_a_newer_one_is_not_set_back(cluster, world, theirs, repository, tmp_path):
    theirs("1.2.0")
    before = releases(cluster)
    done = up(file_of(tmp_path, repository, existing="adopt"), world)
    assert (done.code, "would set it back" in done.err) == (2, True)
    assert releases(cluster) == before


@pytest.mark.usefixtures("kueue")
def test_queues_are_made_in_a_kueue_that_is_there_and_not_helms(cluster, world, tmp_path):
    layers = {"gpu-operator": "off", "jobset": "off"}
    queues = [{"project": "lab", "namespace": "lab-space", "gpus": 8}]
    refused = up(colony_file(tmp_path, layers, queues=queues), world)
    assert (refused.code, "not installed by Helm" in refused.err) == (2, True)

    kept = {**layers, "kueue": {"existing": "keep"}}
    done = up(colony_file(tmp_path, kept, queues=queues), world)
    assert done.code == 0, done.err
    found = cluster.get("kueue.x-k8s.io/v1beta2/LocalQueue", "lab", "lab-space")
    assert found["spec"]["clusterQueue"] == "lab"
    assert cluster.list("v1/Secret", labels="owner=helm") == []
    assert down(world).code == 0
    assert cluster.get("kueue.x-k8s.io/v1beta2/ClusterQueue", "lab") is None
    assert cluster.get(DEFINITION, "clusterqueues.kueue.x-k8s.io")


@pytest.mark.usefixtures("clean")
def test_an_up_that_was_killed_while_helm_installs_is_finished_by_the_next(
    cluster, crashing_world, repository, tmp_path
):
    world = crashing_world

    def statuses():
        return [status for *_, status in releases(cluster)]

    slow = file_of(tmp_path, repository, seconds=600)
    running = Running("up", slow, "--yes", "--world", world)
    running.until(lambda: statuses() == ["pending-install"])
    kill(running, world)
    assert statuses() == ["pending-install"]

    done = up(file_of(tmp_path, repository), world)
    assert done.code == 0, done.err
    said = done.out + done.err
    assert "was interrupted (pending-install): goes on anew" in said, said
    assert statuses() == ["deployed"]
    assert chart_of(cluster, "ships", "ships") == "1.1.0"
    assert down(world).code == 0
    assert releases(cluster) == []
    assert cluster.get("v1/Namespace", "ships") is None


def kill(running, world):
    """As a machine that goes down would: the command, the engine, and Helm."""
    session = os.getsid(running._process.pid)
    server = psutil.Process(json.loads((world / "server.json").read_text())["pid"])
    ours = [each for each in psutil.process_iter() if sid(each.pid) == session]
    ours += server.children(recursive=True)
    assert any("helm" in " ".join(each.cmdline()) for each in ours)
    for each in {process.pid: process for process in ours}.values():
        each.send_signal(signal.SIGKILL)
    running.end()


def sid(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None

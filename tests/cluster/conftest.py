"""One real control plane for all cluster tests; a namespace for each.

Programs are built before the first test, since a build takes longer than a test may.
"""

import os
import sys

import pytest
from testbed import build, kwok, node
from testbed.cluster import Cluster
from testbed.controllers import NAMES, Controllers, needed_programs
from testbed.plane import ControlPlane

from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World
from jobs.errors import NotReady

HERE = os.path.dirname(__file__)
NODES = 4
"""Fake nodes of 8 GPUs that are always there."""
TIMEOUT = 300
"""Seconds for a test: the first that asks for a controller waits for its start too."""
BUILT = {"plane", "prometheus_programs"}
"""Fixtures whose programs are built before the first test."""
ALONE = "cluster tests share one control plane: run them without -n"


def pytest_collection_modifyitems(items):
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.cluster)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TIMEOUT))


def pytest_collection_finish(session):
    ours = [each for each in session.items if str(each.path).startswith(HERE)]
    if not ours or session.config.option.collectonly:
        return
    if hasattr(session.config, "workerinput"):
        return  # `plane` says why not
    reason = _build(session.config, _needed(ours))
    for item in ours:
        if reason and BUILT & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def plane(request):
    """A control plane with kwok."""
    if hasattr(request.config, "workerinput"):
        pytest.fail(ALONE)
    with ControlPlane() as up:
        kwok.start(up)
        yield up


@pytest.fixture(scope="session")
def cluster(plane):
    """Its API, and four fake nodes of 8 GPUs."""
    api = Cluster(plane.kubeconfig)
    kwok.fake_nodes(api, NODES)
    yield api
    api.close()


@pytest.fixture(scope="session")
def node_plane():
    """A control plane of its own with one real node, so that no other test's pods land there."""
    why = node.reason()
    if why:
        pytest.skip(f"NOT SHOWN, no real node: {why}")
    with ControlPlane() as up:
        real = node.RealNode(up)
        try:
            real.start()
            yield up
        except NotReady as error:
            pytest.skip(f"NOT SHOWN, no real node: {error}")
        finally:
            real.stop()


@pytest.fixture(scope="session")
def controllers(plane, cluster):
    """Starts real controllers, each once: controllers.start("jobset", "kueue")."""
    found = Controllers(plane, cluster)
    yield found
    found.close()


@pytest.fixture(scope="session")
def prometheus_programs(request):
    """Prometheus and promtool; they need no cluster."""
    return build.programs("prometheus")["prometheus"]


@pytest.fixture
def namespace(cluster, request):
    """A namespace for this test alone."""
    with cluster.namespace(request.node.originalname.replace("_", "-")[:40].strip("-")) as name:
        yield name


@pytest.fixture
def world(plane, tmp_path):
    """A folder with a world whose clusters are the test bed."""
    folder = tmp_path / "world"
    World.create(folder, kubernetes=RealCluster.of(plane.kubeconfig)).close()
    return folder


def _controller(name):
    @pytest.fixture(scope="session", name=name)
    def fixture(controllers):
        controllers.start(name)
        return controllers

    fixture.__doc__ = f"The real {name} controller."
    return fixture


jobset, kueue, mpi, trainer, kuberay, volcano = map(_controller, NAMES)


def _needed(items):
    fixtures = {name for item in items for name in item.fixturenames}
    alone = ["prometheus"] if "prometheus_programs" in fixtures else []
    if "plane" not in fixtures:
        return alone
    by_hand = [m.args for item in items for m in item.iter_markers("controllers")]
    wanted = {name for name in NAMES if name in fixtures} | {n for args in by_hand for n in args}
    return [*alone, "kube", "etcd", "kwok", *needed_programs(*sorted(wanted))]


def _build(config, names):
    """The reason why cluster tests cannot run here, or none."""
    if names and not sys.platform.startswith("linux"):
        return "the test bed needs Linux: its processes are tied to ours by the kernel"
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            build.programs(*names, progress=build.Screen())
    except NotReady as error:
        return f"the test bed cannot be built here: {error}"
    return ""


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "controllers(names): controllers that a test starts in its body"
    )

"""The watch on the kernel's log in a real container: what the kernel says there taints the node."""

import os
from pathlib import Path

import pytest
from agent_process import AgentProcess
from testbed.cluster import Cluster
from testbed.image import NAME as IMAGE
from testbed.node import LABEL, logs

from components.agent import agent_manifests
from components.agent_health import health_config
from components.clusters.base import ACCELERATOR_LABEL
from components.health_spec import Health

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
KERNEL = Path("/dev/kmsg")
SPACE, NODE = "colony-health", "real"
# Earlier runs' lines are in the same log: this one is told by its device.
FAULT = f"NVRM: Xid (PCI:{os.getpid():08x}:00): 79, pid=1, GPU has fallen off the bus."


@pytest.fixture(scope="module")
def plane(node_plane):
    return node_plane


@pytest.fixture(scope="module")
def cluster(plane):
    cluster = Cluster(plane.kubeconfig)
    labels(cluster, "L4")
    yield cluster
    labels(cluster, None)
    cluster.patch("v1/Node", NODE, {"spec": {"taints": None}})
    cluster.close()


def labels(cluster, accelerator):
    cluster.patch("v1/Node", NODE, {"metadata": {"labels": {ACCELERATOR_LABEL: accelerator}}})


@pytest.fixture
def agent(plane, cluster, tmp_path):
    with cluster.namespace("sick") as namespace:
        manifests = agent_manifests("colony-agent", "bed", {namespace: []}, health=Health())
        with cluster.applied(*map(on_the_real_node, manifests)):
            account = plane.service_account(namespace, "colony-agent")
            made = AgentProcess(account, tmp_path, namespace, health=health_config(Health(), SPACE))
            made.start()
            yield made
            made.kill()
    cluster.assert_gone("v1/Namespace", SPACE)


def on_the_real_node(manifest):
    """Nothing else is changed: not what its container may do, nor its command."""
    if manifest["kind"] == "DaemonSet":
        pod = manifest["spec"]["template"]["spec"]
        pod["nodeSelector"] = {LABEL: "true"}
        pod["containers"][0]["image"] = IMAGE
    return manifest


def kernel_says(text):
    try:
        KERNEL.write_text(f"{text}\n")
    except OSError as error:
        pytest.skip(f"NOT SHOWN: a fault in the kernel's log ({error})")


def test_what_the_kernel_says_reaches_the_node_as_a_taint(plane, cluster, agent):
    def said():
        return logs(plane, SPACE, "-l", "app.kubernetes.io/name=colony-health")

    cluster.wait(lambda: running(cluster), 90, "the watch to run")
    assert FAULT not in said()
    kernel_says(FAULT)
    cluster.wait(lambda: FAULT in said(), 60, "the watch to print it")
    cluster.wait(lambda: taint(cluster) == "xid-79", 60, f"the taint: {agent.log.read_text()}")


def running(cluster):
    pods = cluster.list("v1/Pod", SPACE, labels="app.kubernetes.io/name=colony-health")
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]


def taint(cluster):
    taints = cluster.get("v1/Node", NODE)["spec"].get("taints") or []
    return next((each["value"] for each in taints if each["key"] == "colony.dev/unhealthy"), None)

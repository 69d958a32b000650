"""Azure's notice on the real API server: the eviction is one, and only where the machine goes."""

import pytest
from testbed import kwok
from testbed.cluster import has

from colony.lifecycle.following import Following
from colony.lifecycle.kube import Kube
from colony.lifecycle.watch import observed
from jobs.spec import Job

pytestmark = pytest.mark.timeout(180)

JOB = Job(name="noticed", run="true", backend="job", resources={"accelerators": "H100:8"})
HELD = "colony.dev/seen-by-the-test"


@pytest.fixture
def spot(cluster):
    yield kwok.fake_nodes(cluster, 2, prefix="spot", labels={"test": "notices"})
    kwok.remove_nodes(cluster, "test=notices")


def pod(name, node, namespace):
    """A finalizer keeps it to be looked at."""
    metadata = {"name": name, "namespace": namespace, "finalizers": [HELD],
                "labels": {"colony.dev/job": JOB.name}}  # fmt: skip
    container = {"name": "main", "image": "busybox", "command": ["sleep", "1000"]}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}]}  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def notice(cluster, node):
    """As AKS's node problem detector writes it."""
    said = {"type": "VMEventScheduled", "status": "True", "reason": "VMEventScheduled",
            "message": "Preempt"}  # fmt: skip
    known = cluster.get("v1/Node", node)["status"]["conditions"]
    cluster.patch("v1/Node", node, {"status": {"conditions": [*known, said]}}, subresource="status")
    return {
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "PreemptScheduled",
        "metadata": {"name": f"{node}.preempt", "namespace": "default"},
        "involvedObject": {"kind": "Node", "name": node}, "lastTimestamp": "2100-01-01T00:00:00Z",
    }  # fmt: skip


def test_a_pod_on_a_machine_that_azure_takes_is_disrupted_and_its_neighbour_is_not(
    cluster, plane, namespace, spot
):
    one, two = spot
    cluster.apply(pod("a", one, namespace), pod("b", two, namespace))
    for name in "ab":
        cluster.wait_for(
            "v1/Pod", name, lambda it: it["status"].get("phase") == "Running", namespace
        )
    item = Following(JOB, Kube(plane.kubeconfig.read_text()), namespace, 0.0)
    observed(item, 1.0)
    assert not any(going(each) for each in cluster.list("v1/Pod", namespace))
    with cluster.applied(notice(cluster, one)):
        observed(item, 2.0)
        told = cluster.wait_for("v1/Pod", "a", going, namespace)
    assert has(told, "DisruptionTarget")
    reasons = [c["reason"] for c in told["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert reasons == ["EvictionByEvictionAPI"]
    assert not going(cluster.get("v1/Pod", "b", namespace))
    for name in "ab":
        cluster.patch("v1/Pod", name, {"metadata": {"finalizers": None}}, namespace)


def going(found):
    return found["metadata"].get("deletionTimestamp")

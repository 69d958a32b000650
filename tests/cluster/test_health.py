"""Nodes with broken hardware on a real API server: the agent as a process, with its own rights."""

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from agent_process import AgentProcess
from testbed import kwok
from testbed.cluster import Late
from testbed.plane import LOOPBACK

from colony.agent.client import ApiError
from components.agent import agent_manifests
from components.agent_health import health_config
from components.health_spec import Health

SPACE = "colony-health"
TAINT = "colony.dev/unhealthy"
OFF_BUS = "NVRM: Xid (PCI:0000:4e:00): 79, pid=1, GPU has fallen off the bus."
SWITCH = "nvidia-nvswitch3: SXid (PCI:0000:4e:00.0): 12028, Non-fatal, Link 32"
APP = "NVRM: Xid (PCI:0000:4e:00): 31, MMU fault"
BORNE = "NVRM: Xid (PCI:0000:4e:00): 63, row remapping"
HEALTH = Health(allow=["xid-63"])


class Kubelet:
    """What the API server asks of a node for a pod's log; kwok has no logs of its own."""

    def __init__(self):
        self.logs = {}

    def prints(self, node, at, text, boot="b1"):
        line = json.dumps({"boot": f"{node}-{boot}", "at": at, "text": text})
        self.logs[node] = [*self.logs.get(node, []), line]

    @contextmanager
    def served(self, plane, cluster):
        kubelet = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                pod = self.path.split("?")[0].split("/")[3]
                found = cluster.get("v1/Pod", pod, SPACE)
                lines = kubelet.logs.get(found["spec"]["nodeName"], [])
                text = "".join(f"{line}\n" for line in lines).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                return

        pair = plane.authority.issue("fake-kubelet", "kubelet", "system:nodes", [], [LOOPBACK])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
            server.daemon_threads = True
            server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield server.server_port
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def nodes(cluster):
    """Two of their own, with a boot each."""
    names = kwok.fake_nodes(cluster, 2, prefix="sick", labels={"test": "health"})
    for name in names:
        boots(cluster, name, "b1")
    yield names
    kwok.remove_nodes(cluster, "test=health")


@pytest.fixture
def kubelet(plane, cluster, nodes):
    made = Kubelet()
    with made.served(plane, cluster) as port:
        status = {
            "addresses": [{"type": "InternalIP", "address": LOOPBACK}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        for name in nodes:
            cluster.patch("v1/Node", name, {"status": status}, subresource="status")
        yield made


@pytest.fixture
def agent(plane, cluster, namespace, kubelet, tmp_path):
    manifests = agent_manifests("colony-agent", "bed", {namespace: []}, health=HEALTH)
    for each in manifests:
        if each["kind"] == "DaemonSet":  # on the nodes that this test may taint alone
            each["spec"]["template"]["spec"]["nodeSelector"] = {"test": "health"}
    with cluster.applied(*manifests):
        account = plane.service_account(namespace, "colony-agent")
        made = AgentProcess(account, tmp_path, namespace, health=health_config(HEALTH, SPACE))
        cluster.wait(lambda: len(running(cluster)) == 2, message="the watches to run")
        made.start()
        yield made
        made.kill()
    cluster.assert_gone("v1/Namespace", SPACE)


def running(cluster):
    pods = cluster.list("v1/Pod", SPACE, labels="app.kubernetes.io/name=colony-health")
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]


def boots(cluster, name, boot):
    info = cluster.get("v1/Node", name)["status"].get("nodeInfo") or {}
    status = {"nodeInfo": {**info, "bootID": f"{name}-{boot}"}}
    cluster.patch("v1/Node", name, {"status": status}, subresource="status")


def taint(cluster, name):
    taints = cluster.get("v1/Node", name)["spec"].get("taints") or []
    return next((each["value"] for each in taints if each["key"] == TAINT), None)


def becomes(cluster, agent, name, value):
    try:
        cluster.wait(lambda: taint(cluster, name) == value, 60, f"{value} on {name}")
    except Late as late:
        state = cluster.get("v1/ConfigMap", "colony-health-nodes", SPACE)
        boot = cluster.get("v1/Node", name)["status"].get("nodeInfo")
        raise Late(f"{late}\n{agent.log.read_text()}\n{state}\n{boot}") from None


def pod(name, node):
    container = {"name": "c", "image": "fake/train:1"}
    spec = {"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_a_fault_taints_the_node_and_no_pod_goes_there_until_it_is_lifted(
    cluster, agent, kubelet, nodes, namespace
):
    first, second = nodes
    kubelet.prints(second, 4.0, APP)
    kubelet.prints(second, 5.0, BORNE)
    kubelet.prints(first, 5.0, OFF_BUS)
    becomes(cluster, agent, first, "xid-79")
    found = cluster.get("v1/Node", first)
    assert found["metadata"]["annotations"]["colony.dev/unhealthy-because"] == OFF_BUS
    assert taint(cluster, second) is None

    agent.kill()
    cluster.apply(pod("kept-out", first), pod("let-in", second), namespace=namespace)
    cluster.wait(lambda: phase(cluster, "let-in", namespace) == "Running")
    cluster.wait(
        lambda: "untolerated taint" in json.dumps(cluster.get("v1/Pod", "kept-out", namespace)),
        message=f"the scheduler's no: {cluster.get('v1/Pod', 'kept-out', namespace)['status']}",
    )
    boots(cluster, first, "b2")  # while nobody looks
    agent.start()
    becomes(cluster, agent, first, None)
    cluster.wait(lambda: phase(cluster, "kept-out", namespace) == "Running")


def test_a_taint_taken_off_by_hand_stays_off_also_over_a_restart(cluster, agent, kubelet, nodes):
    name = nodes[0]
    kubelet.prints(name, 5.0, SWITCH)
    becomes(cluster, agent, name, "sxid-12028")
    state = "v1/ConfigMap", "colony-health-nodes", SPACE
    cluster.wait(lambda: '"tainted": true' in cluster.get(*state)["data"]["nodes"])
    agent.kill()
    cluster.patch("v1/Node", name, {"spec": {"taints": None}})
    agent.start()
    cluster.wait(lambda: '"tainted": false' in cluster.get(*state)["data"]["nodes"])
    assert taint(cluster, name) is None
    kubelet.prints(name, 700.0, OFF_BUS)
    becomes(cluster, agent, name, "xid-79")


def phase(cluster, name, namespace):
    return (cluster.get("v1/Pod", name, namespace).get("status") or {}).get("phase")


FORBIDDEN = [
    ("GET", "/api/v1/nodes", None),
    ("DELETE", "/api/v1/nodes/sick-0", None),
    ("PATCH", "/api/v1/nodes/sick-0/status", {}),
    ("GET", "/api/v1/namespaces/default/pods", None),
    ("GET", "/api/v1/namespaces/NS/pods/x/log", None),
    ("GET", f"/api/v1/namespaces/{SPACE}/secrets", None),
    ("GET", f"/api/v1/namespaces/{SPACE}/configmaps/colony-health", None),
    ("POST", f"/api/v1/namespaces/{SPACE}/pods", pod("x", "sick-0")),
]


def test_the_agent_may_do_no_more(agent, namespace):
    client = agent.client()
    codes = [refusal(client, *what, namespace) for what in FORBIDDEN]
    client.close()
    assert codes == [403] * len(FORBIDDEN)


def refusal(client, method, path, body, namespace):
    with pytest.raises(ApiError) as caught:
        client._ask(method, path.replace("NS", namespace), body, "application/merge-patch+json")
    return caught.value.status

"""The agent as a process against a real API server, with the rights that its role gives it."""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from kubernetes.client import ApiException, CoreV1Api, V1Eviction, V1ObjectMeta

from colony.agent.client import ApiError, Client
from colony.agent.model import Request
from colony.kubeapi import KubeApi
from colony.scaling import Clock, LiveJob, check, scale
from components.agent import agent_manifests
from components.agent_bundle import build_zipapp
from jobs.backends import render
from jobs.context import JobContext
from jobs.errors import InputError
from jobs.spec import Job

ACCOUNT = "colony-agent"
CLOCK = Clock(time.monotonic, time.sleep)
PACE = "pod-complete.stage.kwok.x-k8s.io"
STAY = {"metadata": {"annotations": {f"{PACE}/delay": "1h", f"{PACE}/jitter-delay": "1h"}}}


def elastic_job(backend):
    return Job.model_validate(
        {
            "name": "train",
            "framework": "horovod",
            "backend": backend,
            "image": "example.com/train:1",
            "run": "python train.py",
            "roles": {
                "launcher": {"template": STAY},
                "worker": {"replicas": 2, "restart": "OnFailure"},
            },
            "elastic": {"min": 1, "max": 4, "scale_timeout": "20s"},
        }
    )


class Life:
    """A job, its agent, and what a launcher's kubelet would do."""

    def __init__(self, plane, cluster, namespace, folder, backend="job"):
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.job = elastic_job(backend)
        context = JobContext("lab", "bed", "existing", "", namespace=namespace)
        rights = agent_manifests(ACCOUNT, namespace, {namespace: [self.job]})
        self.manifests = [*rights, *render(self.job, context)]
        cluster.apply(*self.manifests)
        self.credentials(plane.service_account(namespace, ACCOUNT))
        self.live = LiveJob(KubeApi(cluster.kubeconfig.read_text()), namespace, "train")
        self.process = None
        self.over = threading.Event()
        self.kubelet = threading.Thread(target=self.answer)

    def credentials(self, kubeconfig):
        content = yaml.safe_load(Path(kubeconfig).read_text())
        target = content["clusters"][0]["cluster"]
        token = content["users"][0]["user"]["token"]
        self.server, self.token = target["server"], self.folder / "token"
        self.token.write_text(token)
        self.ca = self.folder / "ca.crt"
        if "certificate-authority" in target:
            self.ca.write_bytes(Path(target["certificate-authority"]).read_bytes())
        else:
            import base64

            self.ca.write_bytes(base64.b64decode(target["certificate-authority-data"]))

    def __enter__(self):
        (self.folder / "agent.pyz").write_bytes(build_zipapp())
        jobs = {"jobs": [{"namespace": self.namespace, "name": "train"}]}
        (self.folder / "jobs.json").write_text(json.dumps(jobs))
        self.kubelet.start()
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self.over.set()
        self.kubelet.join()

    def start(self):
        command = [sys.executable, "-I", str(self.folder / "agent.pyz"), "--interval", "0.2"]
        command += ["--config", str(self.folder / "jobs.json"), "--server", self.server]
        command += ["--ca", str(self.ca), "--token-file", str(self.token)]
        log = (self.folder / "log").open("a")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        self.process = None

    def answer(self):
        """The readiness that elastic.sh would give the launcher's pod."""
        heard = None
        while not self.over.wait(0.3):
            live = self.cluster.get("v1/ConfigMap", "train-elastic", self.namespace)
            pods = self.pods("launcher")
            if live is None or not pods or pods[0]["status"].get("phase") != "Running":
                continue
            generation = live["data"]["generation"]
            if heard is not None and generation != heard:
                self.say_ready(pods[0], "False")
                time.sleep(1.1)  # times in Kubernetes have whole seconds
                self.say_ready(pods[0], "True")
            heard = generation

    def say_ready(self, pod, status):
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        others = [each for each in pod["status"]["conditions"] if each["type"] != "Ready"]
        ready = {"type": "Ready", "status": status, "lastTransitionTime": now}
        body = {"status": {"conditions": [*others, ready]}}
        name = pod["metadata"]["name"]
        self.cluster.patch("v1/Pod", name, body, self.namespace, subresource="status")

    def pods(self, role):
        labels = f"colony.dev/job=train,colony.dev/role={role}"
        return self.cluster.list("v1/Pod", self.namespace, labels)

    def workers(self):
        return sorted(pod["metadata"]["name"] for pod in self.pods("worker"))

    def hosts(self):
        live = self.cluster.get("v1/ConfigMap", "train-elastic", self.namespace)
        return [line.split(".")[0] for line in live["data"]["hosts"].splitlines()] if live else None

    def wait_hosts(self, *indices, seconds=40):
        wanted = [f"train-worker-{index}" for index in indices]
        self.cluster.wait(lambda: self.hosts() == wanted, seconds, f"{wanted}: {self.log()}")

    def wait_launcher(self):
        def runs():
            return [each["status"].get("phase") for each in self.pods("launcher")] == ["Running"]

        self.cluster.wait(runs, 20, "the launcher")

    def log(self):
        return (self.folder / "log").read_text() if (self.folder / "log").exists() else ""

    def scale(self, kind, count=None, names=None):
        request = Request(f"{kind}-{count or names}", kind, count=count, names=names)
        return scale(self.live, request, lambda _: None, CLOCK)


@pytest.fixture
def life(plane, cluster, namespace, tmp_path):
    with Life(plane, cluster, namespace, tmp_path) as begun:
        yield begun


def test_it_grows_and_shrinks_by_name_also_when_it_is_killed_in_the_middle(life):
    life.wait_hosts(0, 1)
    request = Request("grow", "out", count=1)
    life.live.ask(request)
    life.cluster.wait(lambda: "train-worker-2" in life.workers(), 20, "the new pod")
    life.kill()
    life.wait_launcher()
    life.start()
    life.wait_hosts(0, 1, 2)
    life.live.ask(Request("shrink", "in", names=["worker-0", "worker-2"]))
    life.cluster.wait(lambda: life.hosts() == ["train-worker-1"], 20, "the announcement")
    life.kill()
    assert life.workers() == ["train-worker-0", "train-worker-1", "train-worker-2"]
    life.start()
    life.cluster.wait(lambda: life.workers() == ["train-worker-1"], 30, "the rest to go")
    assert life.scale("out", 1).names == ["train-worker-3"]
    history = life.live.state().history
    assert [(each.id, each.outcome) for each in history][:2] == [
        ("grow", "done"),
        ("shrink", "done"),
    ]
    assert "let go" not in "".join(each.message for each in history)


def test_what_is_out_of_bounds_or_has_no_room_changes_nothing(life, cluster):
    life.wait_hosts(0, 1)
    with pytest.raises(InputError, match="max is 4"):
        check(life.live, Request("x", "out", count=3))
    with pytest.raises(InputError, match=r"refused: .* max is 4"):
        life.scale("out", 3)
    with pytest.raises(InputError, match="no worker is called train-worker-7"):
        life.scale("in", names=["train-worker-7"])
    assert life.workers() == ["train-worker-0", "train-worker-1"]


def test_a_dead_worker_is_replaced_and_a_drain_waits_for_the_agent(life, cluster):
    life.wait_hosts(0, 1)
    cluster.delete("v1/Pod", "train-worker-0", life.namespace)
    life.wait_hosts(1, 2)
    pod = cluster.get("v1/Pod", "train-worker-1", life.namespace)
    node = pod["spec"]["nodeName"]
    life.kill()
    with pytest.raises(ApiException, match="disruption budget"):
        evict(cluster, "train-worker-1", life.namespace)
    cluster.patch("v1/Node", node, {"spec": {"unschedulable": True}})
    try:
        life.start()
        cluster.wait(lambda: "train-worker-1" not in (life.workers()), 30, life.log())
        on_it = [each for each in life.pods("worker") if each["spec"].get("nodeName") == node]
        assert [each for each in on_it if not each["metadata"].get("deletionTimestamp")] == []
        cluster.wait(lambda: len(life.hosts()) == 2, 30, life.log())
    finally:
        cluster.patch("v1/Node", node, {"spec": {"unschedulable": None}})


def test_the_end_of_the_launcher_leaves_its_pod_and_a_destroy_leaves_nothing(life, cluster):
    life.wait_hosts(0, 1)
    (pod,) = life.pods("launcher")
    done = {"state": {"terminated": {"exitCode": 0}}, "name": "trainer", "image": "x"}
    statuses = [{**done, "imageID": "x", "ready": False, "restartCount": 0}]
    body = {"status": {"phase": "Succeeded", "containerStatuses": statuses}}
    cluster.patch("v1/Pod", pod["metadata"]["name"], body, life.namespace, subresource="status")
    cluster.condition("batch/v1/Job", "train-launcher", "Complete", life.namespace)
    cluster.wait(lambda: not life.workers(), 30, life.log())
    cluster.assert_gone("v1/ConfigMap", "train-elastic", life.namespace)
    cluster.assert_gone("v1/Service", "train", life.namespace)
    assert len(life.pods("launcher")) == 1
    life.kill()
    destroy(life)


def test_without_the_agent_a_destroy_leaves_nothing_either(life, cluster):
    life.wait_hosts(0, 1)
    life.kill()
    destroy(life)


def destroy(life):
    for each in reversed(life.manifests):
        kind = f"{each['apiVersion']}/{each['kind']}"
        life.cluster.delete(kind, each["metadata"]["name"], each["metadata"].get("namespace"))
    life.cluster.assert_empty(life.namespace)


FORBIDDEN = {
    "read a secret": ("GET", "/api/v1/namespaces/NS/secrets/x"),
    "list secrets": ("GET", "/api/v1/namespaces/NS/secrets"),
    "list config maps": ("GET", "/api/v1/namespaces/NS/configmaps"),
    "read the job's scripts": ("GET", "/api/v1/namespaces/NS/configmaps/train-scripts"),
    "change what is wanted": ("PUT", "/api/v1/namespaces/NS/configmaps/train-elastic-spec"),
    "delete what is wanted": ("DELETE", "/api/v1/namespaces/NS/configmaps/train-elastic-spec"),
    "run commands": ("POST", "/api/v1/namespaces/NS/pods/train-worker-0/exec"),
    "read logs": ("GET", "/api/v1/namespaces/NS/pods/train-worker-0/log"),
    "delete the workload": ("DELETE", "/apis/batch/v1/namespaces/NS/jobs/train-launcher"),
    "delete another service": ("DELETE", "/api/v1/namespaces/NS/services/other"),
    "cordon nodes": ("PATCH", "/api/v1/nodes/gpu-0"),
    "list nodes": ("GET", "/api/v1/nodes"),
    "look into other namespaces": ("GET", "/api/v1/namespaces/default/pods"),
    "give itself rights": ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles"),
}


def test_its_rights_are_enough_and_no_more(life):
    life.wait_hosts(0, 1)  # with nothing but these rights
    client = Client(life.server, life.ca, life.token)
    allowed = []
    for what, (method, path) in FORBIDDEN.items():
        try:
            client._ask(method, path.replace("NS", life.namespace), None if method == "GET" else {})
            allowed.append(what)
        except ApiError as error:
            if error.status != 403:
                allowed.append(f"{what}: {error}")
    client.close()
    assert allowed == []


@pytest.mark.usefixtures("jobset")
def test_a_jobset_has_elastic_workers_beside_it(plane, cluster, namespace, tmp_path):
    with Life(plane, cluster, namespace, tmp_path, "jobset") as life:
        life.wait_hosts(0, 1)
        assert life.scale("in", 1).names == ["train-worker-1"]
        assert life.workers() == ["train-worker-0"]
        life.wait_launcher()
        life.kill()
        destroy(life)


def evict(cluster, pod, namespace):
    body = V1Eviction(metadata=V1ObjectMeta(name=pod, namespace=namespace))
    CoreV1Api(cluster._api).create_namespaced_pod_eviction(pod, namespace, body)

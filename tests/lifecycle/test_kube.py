"""The Kubernetes client against an API server of a few fixed answers, on loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from colony.lifecycle.kube import Kube
from jobs.errors import ColonyError


def listing(kind, *names):
    items = [{"metadata": {"name": name, "namespace": "research"}} for name in names]
    return {"apiVersion": "v1", "kind": f"{kind}List", "metadata": {}, "items": items}


def resources(version, **kinds):
    found = [
        {"name": name, "kind": kind, "namespaced": True, "singularName": "", "verbs": ["list"]}
        for kind, name in kinds.items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": found}


def pod(name, job, index):
    return {
        "metadata": {
            "name": name,
            "namespace": "research",
            "labels": {
                "jobset.sigs.k8s.io/jobset-name": job,
                "jobset.sigs.k8s.io/replicatedjob-name": "worker",
            },
            "annotations": {"batch.kubernetes.io/job-completion-index": index},
        }
    }


PODS = {
    **listing("Pod"),
    "items": [pod("train-0", "train", "0"), pod("train-1", "train", "1"), pod("x", "other", "0")],
}
ANSWERS = {
    "/version": {"major": "1", "minor": "35"},
    "/api": {"versions": ["v1"]},
    "/api/v1": resources("v1", Service="services", Pod="pods"),
    "/apis": {"kind": "APIGroupList", "groups": []},
    "/api/v1/services": listing("Service", "web"),
    "/api/v1/pods": PODS,
    "/api/v1/namespaces/research/pods/train-0/log": "step 1\n",
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(ANSWERS.get(self.path.split("?")[0]))

        def do_DELETE(self):
            asked.append(self.path)
            self.answer({"kind": "Status"} if self.path.endswith("/web") else None)

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body["kind"], body["metadata"]["name"]))
            self.answer({"kind": "Status"} if "/train-0/" in self.path else None)

        def answer(self, value):
            missing = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
            body = value if isinstance(value, str) else json.dumps(value or missing)
            self.send_response(200 if value is not None else 404)
            kind = "text/plain" if isinstance(value, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http.server_port, asked
    http.shutdown()
    thread.join()
    http.server_close()


def kubeconfig(port):
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def test_objects_are_listed_with_their_kind(server):
    (service,) = Kube(kubeconfig(server[0])).objects("Service")
    assert (service["kind"], service["metadata"]["name"]) == ("Service", "web")


def test_a_kind_that_the_cluster_does_not_know_has_no_objects(server):
    assert Kube(kubeconfig(server[0])).objects("JobSet") == []


def test_deleting_what_is_gone_is_fine(server):
    port, asked = server
    access = Kube(kubeconfig(port))
    access.delete("Service", "research", "web")
    access.delete("Service", "research", "gone")
    assert [path.split("?")[0].rsplit("/", 1)[-1] for path in asked] == ["web", "gone"]


def test_a_pod_is_evicted_and_one_that_is_gone_is_fine(server):
    port, asked = server
    access = Kube(kubeconfig(port))
    for name in ("train-0", "gone"):
        access.evict("research", name)
    at = "/api/v1/namespaces/research/pods"
    assert asked == [
        (f"{at}/{name}/eviction", "Eviction", name) for name in ("train-0", "gone")
    ]  # fmt: skip


def test_every_log_that_can_be_had_is_kept_by_rank(server, tmp_path):
    kept = Kube(kubeconfig(server[0])).keep_logs("train", tmp_path / "logs")
    assert [(path.name, path.read_text()) for path in kept] == [("worker-0.log", "step 1\n")]


def test_a_cluster_that_does_not_answer_is_one_clear_error(server, monkeypatch):
    monkeypatch.setattr("colony.kubeapi.TIMEOUT", 1.0)
    with pytest.raises(ColonyError, match="does not answer"):
        Kube(kubeconfig(1)).objects("Service")

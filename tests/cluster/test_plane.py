"""The control plane itself: that it is a real one, and that it ends."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from kubernetes.client import ApiException
from processes import is_gone
from testbed import kwok
from testbed.cluster import Late
from testbed.plane import ControlPlane

GANG = """
apiVersion: batch/v1
kind: Job
metadata: {name: train}
spec:
  completions: 4
  parallelism: 4
  completionMode: Indexed
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: fake/train:1, resources: {limits: {nvidia.com/gpu: 8}}}]
"""
SUPPORT = Path(__file__).resolve().parent.parent / "support"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parallelism": "four"}, ".spec.parallelism: expected numeric"),
        ({"paralellism": 4}, ".spec.paralellism: field not declared in schema"),
        ({"parallelism": -1}, "spec.parallelism: Invalid value: -1"),
    ],
)
def test_the_server_refuses_what_its_schema_does_not_allow(cluster, namespace, change, says):
    job = yaml.safe_load(GANG)
    job["spec"] |= change
    with pytest.raises(ApiException, match=re.escape(says)):
        cluster.apply(job, namespace=namespace)
    assert not cluster.list("batch/v1/Job", namespace)


def test_a_namespace_has_its_default_service_account_and_root_ca(cluster, namespace):
    assert cluster.get("v1/ServiceAccount", "default", namespace)
    root = cluster.wait(lambda: cluster.get("v1/ConfigMap", "kube-root-ca.crt", namespace))
    assert "BEGIN CERTIFICATE" in root["data"]["ca.crt"]


def test_a_service_account_may_do_only_what_its_roles_allow(plane, cluster, namespace):
    from testbed.cluster import Cluster

    account = Cluster(plane.service_account(namespace, "default"))
    with pytest.raises(ApiException) as refused:
        account.list("v1/Secret", namespace)
    account.close()
    assert refused.value.status == 403


def test_four_pods_of_eight_gpus_fill_four_nodes_and_complete(cluster, namespace):
    cluster.apply(GANG, namespace=namespace)
    job = cluster.condition("batch/v1/Job", "train", "Complete", namespace)
    pods = cluster.list("v1/Pod", namespace)
    assert job["status"]["succeeded"] == 4
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 4
    assert {
        pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] for pod in pods
    } == {"0", "1", "2", "3"}


def test_a_fifth_pod_of_eight_gpus_waits_unschedulable(cluster, namespace):
    job = yaml.safe_load(GANG)
    job["spec"] |= {"completions": 5, "parallelism": 5}
    metadata = job["spec"]["template"].setdefault("metadata", {})
    metadata["annotations"] = {
        "pod-complete.stage.kwok.x-k8s.io/delay": "1h",
        "pod-complete.stage.kwok.x-k8s.io/jitter-delay": "1h",
    }
    cluster.apply(job, namespace=namespace)

    def unschedulable():
        return [
            each["message"]
            for pod in cluster.list("v1/Pod", namespace, fields="status.phase=Pending")
            for each in (pod.get("status") or {}).get("conditions") or []
            if each["type"] == "PodScheduled" and each.get("reason") == "Unschedulable"
        ]

    (message,) = cluster.wait(unschedulable)
    assert "4 Insufficient nvidia.com/gpu" in message


def test_a_pod_labelled_to_fail_fails_its_job_with_its_exit_code(cluster, namespace):
    job = yaml.safe_load(GANG)
    job["spec"]["backoffLimit"] = 0
    job["spec"]["template"]["metadata"] = {
        "labels": {"pod-container-running-failed.stage.kwok.x-k8s.io": "true"},
        "annotations": {"pod-container-running-failed.stage.kwok.x-k8s.io/exit-code": "17"},
    }
    cluster.apply(job, namespace=namespace)
    cluster.condition("batch/v1/Job", "train", "Failed", namespace)
    codes = {
        each["state"]["terminated"]["exitCode"]
        for pod in cluster.list("v1/Pod", namespace, fields="status.phase=Failed")
        for each in pod["status"]["containerStatuses"]
    }
    assert codes == {17}


def test_what_is_deleted_leaves_an_empty_namespace(cluster, namespace):
    cluster.apply(GANG, namespace=namespace)
    cluster.wait(lambda: len(cluster.list("v1/Pod", namespace)) == 4)
    with pytest.raises(Late, match="batch/v1/Job train"):
        cluster.assert_empty(namespace, seconds=0)
    cluster.delete("batch/v1/Job", "train", namespace)
    cluster.assert_gone("batch/v1/Job", "train", namespace)
    cluster.assert_empty(namespace)


def test_nodes_come_and_go_in_bulk(cluster):
    names = kwok.fake_nodes(cluster, 20, prefix="extra", labels={"of": "this-test"})
    assert len(names) == 20
    kwok.remove_nodes(cluster, "of=this-test")
    assert not cluster.list("v1/Node", labels="of=this-test")
    assert len(cluster.list("v1/Node", labels="type=kwok")) == 4


def test_stop_leaves_no_process_and_no_folder():
    plane = ControlPlane()
    plane.start()
    pids = [child.pid for child in plane.children]
    assert len(pids) == 4
    assert all(psutil.pid_exists(pid) for pid in pids)
    plane.stop()
    assert all(is_gone(pid) for pid in pids)
    assert not plane.folder.exists()


def test_a_killed_owner_takes_the_control_plane_with_it(tmp_path):
    script = (
        "import sys, time; from testbed.plane import ControlPlane; plane = ControlPlane().start();"
        "print(plane.folder, *(c.pid for c in plane.children), flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        folder, *pids = owner.stdout.readline().split()
        assert len(pids) == 4
        owner.send_signal(signal.SIGKILL)
    assert all(is_gone(int(pid)) for pid in pids)
    assert Path(folder).exists()
    ControlPlane().stop()  # the next one removes what the killed one left
    assert not Path(folder).exists()

"""Where nodes are watched, by what, and with which rights."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recording import GPUS, colony_args, record_program

from components.agent import agent_manifests
from components.health_spec import Health
from jobs.errors import InputError

CPUS = {"name": "cpu", "instance_type": "m7i.large", "nodes": 1, "cpus": 2, "memory_gib": 8,
        "price_per_node_hour": 0.1}  # fmt: skip
ELASTIC = {
    "name": "train", "framework": "horovod", "image": "example.com/train:1",
    "run": "python train.py", "roles": {"launcher": {}, "worker": {"replicas": 2}},
    "elastic": {"min": 1, "max": 4},
}  # fmt: skip
PLAIN = {"name": "train", "run": "true", "nodes": 1}


def watched(job=PLAIN, cloud="aws", pools=(CPUS, GPUS), **spec: Any) -> bool:
    from components.colony import Colony

    args = colony_args(cloud=cloud, pools=pools, jobs=(job,), spec=spec)
    recording = record_program(lambda: Colony("demo", args))
    found = [each.name for each in recording.requests if "colony-health" in each.name]
    return "demo-main-daemonset-colony-health" in found


@pytest.mark.parametrize(
    "expected, facts",
    [
        (True, {"health": "on"}),
        (True, {"health": {"allow": ["xid-63"]}}),
        (True, {"job": ELASTIC}),
        (True, {"idle": {"delete": "2h"}}),
        (False, {}),
        (False, {"job": ELASTIC, "health": "off"}),
        (False, {"health": "on", "pools": (CPUS,)}),
        (False, {"job": ELASTIC, "cloud": "existing", "pools": ()}),
        (True, {"health": "on", "cloud": "existing", "pools": ()}),
    ],
)
def test_where_nodes_are_watched(expected, facts):
    assert watched(**facts) is expected


@pytest.mark.parametrize(
    "health, words",
    [
        ({"allow": ["79"]}, "79 is no fault"),
        ({"allowed": []}, "health.allowed"),
        ({"lift_after": "soon"}, "health.lift_after"),
    ],
)
def test_what_cannot_be_meant_is_refused(health, words):
    with pytest.raises(InputError, match=words):
        watched(health=health)


def manifests(name="colony-agent"):
    found = agent_manifests(name, "lab", {"team": []}, health=Health(allow=["xid-63"]))
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def test_the_watch_has_no_token_one_capability_and_nothing_of_the_node():
    pod = manifests()["DaemonSet", "colony-health"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert "hostPath" not in json.dumps(pod) and "hostPID" not in json.dumps(pod)
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["SYSLOG"]}
    assert "privileged" not in container["securityContext"]


def test_the_agent_reads_logs_in_the_watches_namespace_alone():
    found = manifests()
    logs = {
        each["metadata"].get("namespace")
        for each in found.values()
        for rule in each.get("rules") or []
        if "pods/log" in rule["resources"]
    }
    assert logs == {"colony-health"}
    [nodes] = found["ClusterRole", "colony-health-lab"]["rules"]
    assert nodes == {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]}
    [account] = found["ClusterRoleBinding", "colony-health-lab"]["subjects"]
    assert (account["name"], account["namespace"]) == ("colony-agent", "team")


def test_the_agent_is_told_where_to_look():
    config = json.loads(manifests()["ConfigMap", "colony-agent"]["data"]["jobs.json"])
    assert config["health"] == {
        "namespace": "colony-health", "name": "colony-health-nodes", "allow": ["xid-63"],
    }  # fmt: skip


def test_two_colonies_of_one_cluster_have_a_namespace_each():
    assert ("Namespace", "colony-health-lab") in manifests("colony-agent-lab")

"""What the agent reads from Kubernetes objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from elastic_world import SPEC, running_world

from colony.agent.model import Launcher
from colony.agent.observe import is_leaving, launcher, workers, workload


def pod(name: str = "demo-worker-1", role: str = "worker", **status: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "labels": {"colony.dev/role": role},
        "ownerReferences": [{"uid": "mine"}],
    }
    return {"metadata": metadata, "spec": {"nodeName": "n1"}, "status": status}


def ended(code: int) -> list[dict[str, Any]]:
    return [
        {"name": "sidecar", "state": {"terminated": {"exitCode": 9}}},
        {"name": "trainer", "state": {"terminated": {"exitCode": code}}},
    ]


def condition(kind: str, status: str = "True", **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more}]}


@pytest.mark.parametrize(
    ("status", "want"),
    [
        ({"phase": "Running", **condition("Ready")}, {"running": True, "alive": True}),
        ({"phase": "Running", **condition("Ready", "False")}, {"running": False, "alive": True}),
        ({"phase": "Running"}, {"running": True}),
        ({"phase": "Unknown"}, {"running": False, "alive": True}),
        ({}, {"phase": "Pending", "running": False, "alive": True}),
        ({"phase": "Failed", "containerStatuses": ended(3)}, {"alive": False, "exit_code": 3}),
        ({"phase": "Failed", "reason": "Evicted"}, {"alive": False, "exit_code": None}),
        ({"phase": "Failed", "containerStatuses": ended(137), **condition("DisruptionTarget")},
         {"disrupted": True, "exit_code": None}),
        ({"phase": "Pending", **condition("PodScheduled", "False", reason="Unschedulable",
                                          message="0/4 nodes")},
         {"why": "Unschedulable: 0/4 nodes"}),
        ({"phase": "Pending", "containerStatuses": [
            {"name": "trainer", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
         {"why": "ImagePullBackOff"}),
    ],
)  # fmt: skip
def test_a_worker_is_what_its_status_says(status: dict[str, Any], want: dict[str, Any]) -> None:
    found = workers(SPEC, [pod(**status)], "mine")["demo-worker-1"]
    assert {key: getattr(found, key) for key in want} == want


@pytest.mark.parametrize(
    ("name", "role", "owner"),
    [
        ("demo-worker-1", "launcher", "mine"),
        ("demo-worker-x", "worker", "mine"),
        ("demo-worker-01", "worker", "mine"),
        ("other-worker-1", "worker", "mine"),
        ("demo-worker-1", "worker", "another"),
    ],
)
def test_other_pods_are_left_alone(name: str, role: str, owner: str) -> None:
    assert workers(SPEC, [pod(name, role)], owner) == {}


def test_the_launcher_is_the_one_that_has_not_ended() -> None:
    ready = condition("Ready", lastTransitionTime="t")
    pods = [
        pod("demo-launcher-a", "launcher", phase="Failed"),
        pod("demo-launcher-b", "launcher", phase="Running", **ready),
    ]
    assert launcher(SPEC, pods) == Launcher("demo-launcher-b", True, "t")
    assert launcher(SPEC, pods[:1]) is None


@pytest.mark.parametrize(
    ("node", "leaving"),
    [
        ({}, False),
        ({"spec": {"unschedulable": True}}, True),
        ({"spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]}}, False),
        ({"spec": {"taints": [{"key": "aws-node-termination-handler/spot-itn"}]}}, True),
        ({"spec": {"taints": [{"key": "cloud.google.com/impending-node-termination"}]}}, True),
        ({"spec": {"taints": [{"key": "karpenter.sh/disrupted"}]}}, True),
        ({"spec": {"taints": [{"key": "node.kubernetes.io/unreachable"}]}}, True),
        ({"spec": {"taints": [{"key": "kubernetes.azure.com/scalesetpriority"}]}}, False),
        (None, True),
    ],
)
def test_a_node_leaves_when_somebody_said_so(node: dict[str, Any] | None, leaving: bool) -> None:
    assert is_leaving(node) is leaving


@pytest.mark.parametrize(
    ("found", "exists", "suspended", "finished"),
    [
        (None, False, False, False),
        ({"metadata": {}}, True, False, False),
        ({"spec": {"suspend": True}}, True, True, False),
        ({"status": condition("Completed")}, True, False, True),
        ({"status": condition("Complete")}, True, False, True),
        ({"status": condition("Failed")}, True, False, True),
        ({"status": condition("Failed", "False")}, True, False, False),
        ({"metadata": {"deletionTimestamp": "t"}}, True, False, True),
    ],
)
def test_the_workload_says_whether_the_job_goes_on(
    found: dict[str, Any] | None, exists: bool, suspended: bool, finished: bool
) -> None:
    seen = workload(found)
    assert (seen.exists, seen.suspended, seen.finished) == (exists, suspended, finished)


def test_a_pod_that_kubernetes_will_take_is_scaled_in_first() -> None:
    world = running_world()
    world.pods["demo-worker-1"] = replace(world.pods["demo-worker-1"], disrupted=True)
    world.turn()
    assert world.hosts == [0, 2]
    assert world.alive == [0, 1, 2]
    world.live(8)
    assert world.alive == [0, 2]

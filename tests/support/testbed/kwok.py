"""Fake GPU nodes: kwok says what a kubelet would, by the stages that it ships with.

Pods of Jobs end by themselves; the others run until they are deleted. A pod's annotations change
its pace: `pod-ready.stage.kwok.x-k8s.io/delay: 1h` never runs, `pod-complete.stage…/delay: 20s`
runs for that long; each with `…/jitter-delay` of the same length, since the shorter wins. Label
`pod-container-running-failed.stage.kwok.x-k8s.io: "true"` makes its containers fail, with exit code
1 or what the annotation `….stage.kwok.x-k8s.io/exit-code` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from testbed import build
from testbed.children import Child, free_ports
from testbed.cluster import Cluster, Object, has
from testbed.plane import LOOPBACK, ControlPlane

__all__ = ["FAKE", "fake_nodes", "remove_nodes", "start"]

FAKE = {"type": "kwok"}
"""Labels of each fake node."""
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "node/chaos/node-not-ready.yaml",
    "pod/general/pod-create.yaml",
    "pod/general/pod-init-container-running.yaml",
    "pod/general/pod-init-container-completed.yaml",
    "pod/general/pod-ready.yaml",
    "pod/general/pod-complete.yaml",
    "pod/general/pod-delete.yaml",
    "pod/chaos/pod-container-running-failed.yaml",
)
PACE = {"pod-complete": (1000, 1500)}
"""Delay and jitter of a stage in milliseconds, where they are not USUAL; theirs are 1 to 5 s."""
USUAL = (100, 300)
BULK = 8
"""Requests at a time for many nodes."""


def start(plane: ControlPlane) -> Child:
    """kwok beside a control plane, ready for nodes."""
    binary = build.programs("kwok")["kwok"]
    (port,) = free_ports(1)
    configs = _stages(build.files("kwok") / "kustomize" / "stage", plane.folder / "stages")
    argv: list[str | Path] = [binary, f"--kubeconfig={plane.kubeconfig}"]
    argv += ["--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"]
    argv += ["--node-lease-duration-seconds=40", "--cidr=10.200.0.0/16", "--node-ip=10.199.0.1"]
    argv += [f"--server-address={LOOPBACK}:{port}", *(f"--config={each}" for each in configs)]
    return plane.run("kwok", argv, {"HOME": str(plane.folder)})


def fake_nodes(
    cluster: Cluster,
    count: int,
    gpus: int = 8,
    prefix: str = "gpu",
    product: str = "NVIDIA-H100-80GB-HBM3",
    labels: Mapping[str, str] | None = None,
    tainted: bool = False,
    seconds: float = 60.0,
) -> list[str]:
    """Makes nodes PREFIX-0, PREFIX-1 … and waits until they are Ready.

    `tainted`: where real nodes are too, so that only pods that tolerate it come here.
    """
    nodes = [_node(f"{prefix}-{i}", i, gpus, product, labels or {}, tainted) for i in range(count)]
    with ThreadPoolExecutor(BULK) as pool:
        list(pool.map(cluster.apply, nodes))
    names = {node["metadata"]["name"] for node in nodes}

    def all_ready() -> bool:
        found = cluster.list("v1/Node", labels="type=kwok")
        return names <= {each["metadata"]["name"] for each in found if has(each, "Ready")}

    cluster.wait(all_ready, seconds, f"{count} fake nodes to be Ready")
    return sorted(names)


def remove_nodes(cluster: Cluster, labels: str = "type=kwok") -> None:
    """All fake nodes that the labels select, in one request."""
    cluster.delete_all("v1/Node", labels)
    cluster.wait(lambda: not cluster.list("v1/Node", labels=labels), message="nodes to be gone")


def _stages(source: Path, into: Path) -> list[Path]:
    """Their stages, at our pace."""
    into.mkdir(parents=True, exist_ok=True)
    written = []
    for each in STAGES:
        stage = yaml.safe_load((source / each).read_text())
        if stage["spec"]["resourceRef"]["kind"] == "Pod":
            _hurry(stage)
        path = into / Path(each).name
        path.write_text(yaml.safe_dump(stage, width=10_000))
        written.append(path)
    return written


def _hurry(stage: Object) -> None:
    delay, jitter = PACE.get(stage["metadata"]["name"], USUAL)
    pace = stage["spec"].setdefault("delay", {})
    pace |= {"durationMilliseconds": delay, "jitterDurationMilliseconds": jitter}
    if "deletionTimestamp" in str(pace.get("jitterDurationFrom")):
        del pace["jitterDurationFrom"]  # up to the whole grace period


def _node(
    name: str, number: int, gpus: int, product: str, labels: Mapping[str, str], tainted: bool
) -> Object:
    resources = {"cpu": "128", "memory": "2Ti", "ephemeral-storage": "1Ti", "pods": "110"}
    if gpus:
        resources["nvidia.com/gpu"] = str(gpus)
    own = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"z{number % 4}",
        **({"nvidia.com/gpu.product": product} if gpus else {}),
    }
    taint = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {**own, **FAKE, **labels},
        },
        "spec": {"taints": [taint]} if tainted else {},
        "status": {"allocatable": resources, "capacity": resources},
    }

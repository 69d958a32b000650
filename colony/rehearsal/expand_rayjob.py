"""KubeRay's RayJob.

https://docs.ray.io/en/latest/cluster/kubernetes/getting-started/rayjob-quick-start.html
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from colony.rehearsal.expand import READY, Manifest, Plan, PlannedPod, namespace_of, pod_of

__all__ = ["of_rayjob"]


def of_rayjob(job: Manifest, manifests: Sequence[Manifest]) -> Plan:
    spec, name = job["spec"], job["metadata"]["name"]
    cluster = spec["rayClusterSpec"]
    service = f"{name}-head-svc"
    head = _ray_pod(cluster["headGroupSpec"], "headgroup", 0, f"{name}-head", service)
    pods = [head]
    for group in cluster.get("workerGroupSpecs") or []:
        kind = group["groupName"]
        pods += [
            _ray_pod(group, kind, index, f"{name}-{kind}-{index}", service)
            for index in range(int(group.get("replicas", 1)))
        ]
    waits = {pod.role: [(head.role, READY)] for pod in pods[1:]}
    driver = _ray_driver(spec, head)
    waits[driver.role] = [(role, READY) for role in dict.fromkeys(pod.role for pod in pods)]
    return Plan(
        name=name,
        namespace=namespace_of(job),
        pods=[*pods, driver],
        success=[[driver.role]],
        failure=[[driver.role]],
        waits=waits,
        seconds=float(spec.get("activeDeadlineSeconds") or "inf"),
        restarts=int(spec.get("backoffLimit", 0)),
    )


def _ray_pod(group: Manifest, named: str, index: int, name: str, service: str) -> PlannedPod:
    """KubeRay hands the command that starts Ray to a container that starts it itself."""
    head = named == "headgroup"
    template = group["template"]
    where = "--head" if head else f"--address={service}:6379"
    flags = "".join(f" --{k}={v}" for k, v in (group.get("rayStartParams") or {}).items())
    values = {
        "FQ_RAY_IP": service,
        "RAY_IP": service,
        "RAY_PORT": "6379",
        "RAY_ADDRESS": f"{'127.0.0.1' if head else service}:6379",
        "KUBERAY_GEN_RAY_START_CMD": f"ray start {where}{flags} --block",
    }
    marks = {
        "ray.io/node-type": "head" if head else "worker",
        "ray.io/group": named,
        "ray.io/worker-group-replica-index": str(index),
    }
    host, domain = template["spec"].get("hostname"), template["spec"].get("subdomain")
    hosts = [f"{host}.{domain}"] if host and domain else []
    if head:
        hosts.append(service)
    env = tuple({"name": key, "value": value} for key, value in values.items())
    if head:
        template = _probed(template, 6379)
    return pod_of(template, named, index, name, hosts, marks=marks, env=env)


def _probed(template: Manifest, port: int) -> Manifest:
    """KubeRay asks the head itself whether it is up; here its port is enough."""
    first, *others = template["spec"]["containers"]
    first = {"readinessProbe": {"tcpSocket": {"port": port}}, **first}
    return {**template, "spec": {**template["spec"], "containers": [first, *others]}}


def _ray_driver(spec: Manifest, head: PlannedPod) -> PlannedPod:
    """`entrypoint` runs in the head, by its job server, with the head's environment."""
    words = shlex.split(spec["entrypoint"])
    container = {**head.container, "command": words, "args": []}
    pod = {**head.spec, "containers": [container], "initContainers": [], "restartPolicy": "Never"}
    return replace(head, role="driver", group="driver", hosts=(), spec=pod, inside=head.key)

"""What watches the hardware of nodes with GPUs: a pod on each that prints what the kernel says of
them, and the agent's rights to read that and to taint nodes. Plain values.

The pods have no token and one capability, SYSLOG; the kernel's log is no device of theirs. They are
in a namespace of their own: the agent reads no other pods' logs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from components.agent_rights import rule
from components.clusters.base import ACCELERATOR_LABEL, Cluster
from components.health_spec import Health
from components.site import vendor
from components.spec import Cloud, ColonySpec
from jobs.data import load

__all__ = ["NAME", "health_config", "health_manifests", "health_of", "health_space"]

NAME = "colony-health"
STATE = f"{NAME}-nodes"
SCRIPT = "kernel_log.py"
MOUNT = "/opt/colony"
RBAC = "rbac.authorization.k8s.io"
GPU_LABELS = (ACCELERATOR_LABEL, "nvidia.com/gpu.product", "cloud.google.com/gke-accelerator")
"""A node with any of them is watched: ours, GPU feature discovery's, GKE's."""
_SOURCE = Path(__file__).resolve().parents[1] / "colony" / "agent" / SCRIPT

Manifest = dict[str, Any]


def health_of(spec: ColonySpec, cluster: Cluster, beside: bool) -> Health | None:
    """None where nothing is watched. `beside`: an agent works on the cluster anyway.

    On a cluster of the user's only where the spec asks for it: its nodes are not ours to taint.
    """
    existing = cluster.placement.cloud == Cloud.EXISTING.value
    if not existing and not _has_nvidia(cluster):
        return None
    if spec.health is not None:
        return spec.health if spec.health.enabled else None
    return Health() if beside and not existing else None


def _has_nvidia(cluster: Cluster) -> bool:
    gpus = [pool for pool in cluster.placement.pools if pool.accelerator_count]
    return any(vendor(pool) == "nvidia" for pool in gpus)


def health_space(suffix: str) -> str:
    """The namespace. `suffix`: what sets colonies of one cluster apart, or nothing."""
    return f"{NAME}{suffix}"


def health_config(health: Health, space: str) -> Manifest:
    """As `colony/agent/health_keeper.py` reads it."""
    found: Manifest = {"namespace": space, "name": STATE, "allow": sorted(set(health.allow))}
    return found if health.lift_after is None else {**found, "lift_after": health.lift_after}


def health_manifests(
    space: str, colony: str, account: Manifest, labels: dict[str, str]
) -> list[Manifest]:
    """In the order they are made. `account`: the agent's, as the subject of a binding."""
    own = {**labels, "app.kubernetes.io/name": NAME}
    script = _SOURCE.read_text(encoding="utf-8")
    admitted = {"pod-security.kubernetes.io/enforce": "privileged"}  # for the one capability
    return [
        _named("v1", "Namespace", space, {**own, **admitted}),
        *_rights(space, f"{NAME}-{colony}", account, own),
        _named("v1", "ConfigMap", NAME, own, space, data={SCRIPT: script}),
        _unawaited(_named("apps/v1", "DaemonSet", NAME, own, space, spec=_watches(own, script))),
    ]


def _unawaited(manifest: Manifest) -> Manifest:
    """A node that is broken already must not hold the colony up."""
    manifest["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    return manifest


def _rights(space: str, wide: str, account: Manifest, labels: dict[str, str]) -> list[Manifest]:
    """To patch nodes cannot be narrowed to taints, nor to names that are not known yet."""
    rules = [
        rule("", "pods", ["list"]),
        rule("", "pods/log", ["get"]),
        rule("", "configmaps", ["create"]),
        rule("", "configmaps", ["get", "update"], [STATE]),
    ]
    nodes = [rule("", "nodes", ["get", "patch"])]
    version = f"{RBAC}/v1"
    return [
        _named(version, "Role", NAME, labels, space, rules=rules),
        _named(version, "RoleBinding", NAME, labels, space, **_bound("Role", NAME, account)),
        _named(version, "ClusterRole", wide, labels, rules=nodes),
        _named(version, "ClusterRoleBinding", wide, labels, **_bound("ClusterRole", wide, account)),
    ]


def _watches(labels: dict[str, str], script: str) -> Manifest:
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in GPU_LABELS]
    selected = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "affinity": {"nodeAffinity": selected},
        # Whatever is wrong with a node: its kernel is listened to.
        "tolerations": [{"operator": "Exists"}],
        "containers": [_container()],
        "volumes": [{"name": "program", "configMap": {"name": NAME}}],
    }
    picked = {key: labels[key] for key in ("app.kubernetes.io/name", "colony.dev/colony")}
    content = {"colony.dev/content-sha256": hashlib.sha256(script.encode()).hexdigest()}
    return {
        "selector": {"matchLabels": picked},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
        "template": {"metadata": {"labels": picked, "annotations": content}, "spec": pod},
    }


def _container() -> Manifest:
    return {
        "name": "watch",
        "image": str(load("images.yaml")["agent"]),
        "command": ["python", "-I", f"{MOUNT}/{SCRIPT}"],
        "resources": {
            "requests": {"cpu": "5m", "memory": "24Mi"},
            "limits": {"memory": "96Mi"},
        },
        "securityContext": {
            "runAsUser": 0,  # a capability that is added is in force for root alone
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["SYSLOG"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "program", "mountPath": MOUNT, "readOnly": True}],
    }


def _bound(kind: str, name: str, account: Manifest) -> Manifest:
    return {"roleRef": {"apiGroup": RBAC, "kind": kind, "name": name}, "subjects": [account]}


def _named(
    version: str, kind: str, name: str, labels: dict[str, str], space: str = "", **body: Any
) -> Manifest:
    metadata: Manifest = {"name": name, "labels": dict(labels)}
    metadata["labels"]["app.kubernetes.io/managed-by"] = "colony"
    if space:
        metadata["namespace"] = space
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}

"""The agent of a cluster: one Deployment that looks after its elastic jobs, its idleness and its
nodes' health, and tells Prometheus what the colony costs.

https://kubernetes.io/docs/concepts/security/rbac-good-practices/ (rights by name where a name is
known; none to run commands in pods, none to read Secrets)
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from components.agent_bundle import build_zipapp
from components.agent_completion import (
    completion_config,
    completion_mounts,
    completion_rules,
)
from components.agent_health import health_config, health_manifests, health_space
from components.agent_idle import idle_config, idle_rules
from components.agent_rights import rule
from components.clusters.base import Cluster
from components.health_spec import Health
from components.idle_spec import Idle
from components.objects import KubernetesObject, inside, name_of
from components.signal_spec import Signal
from jobs.data import load
from jobs.elastic import live_name, removed_at_end, spec_name
from jobs.ending import ends_with
from jobs.frameworks import complete
from jobs.spec import Job

__all__ = ["NAME", "agent_manifests", "build_agent"]

NAME = "colony-agent"
MOUNT = "/opt/colony"
BILL = "bill.json"
METRICS_PORT = 9464
RBAC = "rbac.authorization.k8s.io"
USER = 65532
"""Nobody in particular; not root."""

Manifest = dict[str, Any]


def build_agent(
    name: str,
    cluster: Cluster,
    colony: str,
    jobs: Mapping[str, list[Job]],
    after: list[pulumi.Resource],
    bill: Mapping[str, Any] | None = None,
    idle: Idle | None = None,
    health: Health | None = None,
    signals: list[Signal] | None = None,
) -> list[pulumi.Resource]:
    """For the elastic jobs of each namespace, for the bill, to see whether it is idle, whether its
    nodes are well and whether its jobs have ended; [] where it has nothing to do. To be there
    before the jobs: so it goes after them."""
    # A cluster that is not ours may hold other colonies, with agents of their own.
    own = NAME if cluster.owner is not None else f"{NAME}-{colony}"
    made: list[pulumi.Resource] = []
    manifests = agent_manifests(own, colony, jobs, bill, idle, health, signals)
    for logical, manifest in zip(_names(name, manifests), manifests, strict=True):
        opts = inside(cluster, [*after, *made])
        made.append(KubernetesObject(logical, manifest, opts))
    return made


def _names(prefix: str, manifests: list[Manifest]) -> list[str]:
    """Rights in several namespaces have one name in the cluster, and must not have one here."""
    plain = [name_of(prefix, manifest) for manifest in manifests]
    homes = [manifest["metadata"].get("namespace", "") for manifest in manifests]
    return [
        f"{name}-{space}" if plain.count(name) > 1 and space != homes[-1] else name
        for name, space in zip(plain, homes, strict=True)
    ]


def agent_manifests(
    name: str,
    colony: str,
    jobs: Mapping[str, list[Job]],
    bill: Mapping[str, Any] | None = None,
    idle: Idle | None = None,
    health: Health | None = None,
    signals: list[Signal] | None = None,
) -> list[Manifest]:
    """Namespace -> its jobs. In the order they are made: rights first, the Deployment last.

    `bill` (`components.bill`) is given where somebody reads the agent's metrics.
    """
    elastic = {
        space: [complete(job) for job in members if job.elastic]
        for space, members in sorted(jobs.items())
    }
    elastic = {space: members for space, members in elastic.items() if members}
    telling = signals if signals is not None and any(jobs.values()) else None
    if not elastic and bill is None and idle is None and health is None and telling is None:
        return []
    spaces = sorted(jobs) or ["default"]
    home = next(iter(elastic), spaces[0])
    about = _About(name, home, colony)
    watching = idle_config(idle, name, home, spaces) if idle else None
    space = health_space(name.removeprefix(NAME))
    ending = None if telling is None else completion_config(telling, name, colony, home, jobs)
    beside = {
        **({"completion": ending} if ending else {}),
        **({"idle": watching} if watching else {}),
        **({"health": health_config(health, space)} if health else {}),
    }
    config_map = _config_map(about, elastic, bill, beside)
    return [
        about.manifest("v1", "ServiceAccount", automountServiceAccountToken=False),
        *(_rights(about, elastic) if elastic else []),
        *_own_rights(about, "idle", watching, idle_rules),
        *_own_rights(about, "completion", ending, completion_rules),
        *(health_manifests(space, colony, about.account, about.labels) if health else []),
        config_map,
        _deployment(about, config_map, telling or []),
    ]


class _About:
    """What all of its objects share."""

    def __init__(self, name: str, namespace: str, colony: str) -> None:
        self.name = name
        self.namespace = namespace
        self.colony = colony
        self.labels = {"app.kubernetes.io/name": NAME, "colony.dev/colony": colony}

    def manifest(
        self, version: str, kind: str, namespace: str | None = None, **body: Any
    ) -> Manifest:
        """`namespace` "" = an object of the whole cluster."""
        where = self.namespace if namespace is None else namespace
        metadata: Manifest = {"name": self.name, "labels": dict(self.labels)}
        metadata["labels"]["app.kubernetes.io/managed-by"] = "colony"
        if where:
            metadata["namespace"] = where
        else:
            metadata["name"] = f"{NAME}-{self.colony}"
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}

    @property
    def account(self) -> Manifest:
        """Its service account, as the subject of a binding."""
        return {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}

    def binding(self, kind: str, role: Manifest, namespace: str | None = None) -> Manifest:
        named = role["metadata"]["name"]
        ref = {"apiGroup": RBAC, "kind": role["kind"], "name": named}
        return self.manifest(f"{RBAC}/v1", kind, namespace, roleRef=ref, subjects=[self.account])


def _own_rights(
    about: _About,
    what: str,
    config: Manifest | None,
    rules: Callable[[Manifest, str], list[Manifest]],
) -> list[Manifest]:
    """Roles of their own: a cluster may have no elastic job."""
    found = []
    for space in config["namespaces"] if config else []:
        role = about.manifest(f"{RBAC}/v1", "Role", space, rules=rules(config or {}, space))
        binding = about.binding("RoleBinding", role, space)
        for manifest in (role, binding):
            manifest["metadata"]["name"] = f"{about.name}-{what}"
        binding["roleRef"]["name"] = f"{about.name}-{what}"
        found += [role, binding]
    return found


def _rights(about: _About, elastic: Mapping[str, list[Job]]) -> list[Manifest]:
    nodes = rule("", "nodes", ["get"])
    everywhere = about.manifest(f"{RBAC}/v1", "ClusterRole", "", rules=[nodes])
    found = [everywhere, about.binding("ClusterRoleBinding", everywhere, "")]
    for space, jobs in elastic.items():
        role = about.manifest(f"{RBAC}/v1", "Role", space, rules=_rules(jobs))
        found += [role, about.binding("RoleBinding", role, space)]
    return found


def _rules(jobs: list[Job]) -> list[Manifest]:
    """A right to create cannot be bound to a name, nor one to list; all others are."""
    rules = [
        rule("", "pods", ["list", "create", "patch", "delete"]),
        rule("", "configmaps", ["create"]),
        rule("", "configmaps", ["get"], [spec_name(job) for job in jobs]),
        rule("", "configmaps", ["get", "update", "delete"], [live_name(job) for job in jobs]),
    ]
    for job in jobs:
        where = ends_with(job)
        group = where["path"].split("/")[2]
        rules.append(rule(group, where["resource"], ["get"], [where["name"]]))
    removed = [(each["resource"], each["name"]) for job in jobs for each in removed_at_end(job)]
    for resource in sorted({resource for resource, _ in removed}):
        names = [name for kind, name in removed if kind == resource]
        rules.append(rule("", resource, ["delete"], names))
    return rules


def _config_map(
    about: _About,
    elastic: Mapping[str, list[Job]],
    bill: Mapping[str, Any] | None,
    beside: Manifest,
) -> Manifest:
    """`beside`: what else it looks after, by name."""
    jobs = [
        {"namespace": space, "name": job.name} for space, found in elastic.items() for job in found
    ]
    config: Manifest = {"jobs": jobs, **beside}
    data = {"jobs.json": json.dumps(config, sort_keys=True)}
    if bill is not None:
        data[BILL] = json.dumps(bill, sort_keys=True)
    program = base64.b64encode(build_zipapp()).decode()
    return about.manifest(
        "v1",
        "ConfigMap",
        data=data,
        binaryData={"agent.pyz": program},
    )


def _deployment(about: _About, config_map: Manifest, signals: list[Signal]) -> Manifest:
    # The bill is read anew each time: an extended lease restarts nothing.
    data = {key: text for key, text in config_map["data"].items() if key != BILL}
    content = json.dumps([data, config_map["binaryData"]], sort_keys=True)
    template: Manifest = {
        "metadata": {
            "labels": dict(about.labels),
            # Another program or other jobs: another pod. Nothing is lost by that.
            "annotations": {"colony.dev/content-sha256": _sha256(content)},
        },
        "spec": _pod(about, BILL in config_map["data"]),
    }
    volumes, mounts = completion_mounts(signals)
    template["spec"]["volumes"] += volumes
    template["spec"]["containers"][0]["volumeMounts"] += mounts
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # never two at once
        "selector": {"matchLabels": dict(about.labels)},
        "template": template,
    }
    return about.manifest("apps/v1", "Deployment", spec=spec)


def _pod(about: _About, billed: bool) -> Manifest:
    return {
        "serviceAccountName": about.name,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        # Where all nodes have accelerators, one of them has to bear it.
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(billed)],
        "volumes": [{"name": "program", "configMap": {"name": about.name}}],
    }


def _container(billed: bool) -> Manifest:
    command = ["python", "-I", f"{MOUNT}/agent.pyz", "--config", f"{MOUNT}/jobs.json"]
    container: Manifest = {
        "name": "agent",
        "image": str(load("images.yaml")["agent"]),
        "command": command,
        "resources": {
            "requests": {"cpu": "20m", "memory": "48Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "program", "mountPath": MOUNT, "readOnly": True}],
    }
    if billed:
        command += ["--bill", f"{MOUNT}/{BILL}", "--listen", f":{METRICS_PORT}"]
        container["ports"] = [{"name": "metrics", "containerPort": METRICS_PORT}]
    return container


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""The agent of a cluster: one Deployment that looks after its elastic jobs.

https://kubernetes.io/docs/concepts/security/rbac-good-practices/ (rights by name where a name is
known; none to run commands in pods, none to read Secrets)
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi

from components.agent_bundle import build_zipapp
from components.clusters.base import Cluster
from components.objects import KubernetesObject, inside, name_of
from jobs.data import load
from jobs.elastic import live_name, removed_at_end, spec_name, workload_of
from jobs.frameworks import complete
from jobs.spec import Job

__all__ = ["NAME", "agent_manifests", "build_agent"]

NAME = "colony-agent"
MOUNT = "/opt/colony"
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
) -> list[pulumi.Resource]:
    """For the elastic jobs of each namespace; [] where there are none. To be there before them:
    so it goes after them."""
    # A cluster that is not ours may hold other colonies, with agents of their own.
    own = NAME if cluster.owner is not None else f"{NAME}-{colony}"
    made: list[pulumi.Resource] = []
    for manifest in agent_manifests(own, colony, jobs):
        opts = inside(cluster, [*after, *made])
        made.append(KubernetesObject(name_of(name, manifest), manifest, opts))
    return made


def agent_manifests(name: str, colony: str, jobs: Mapping[str, list[Job]]) -> list[Manifest]:
    """Namespace -> its jobs. In the order they are made: rights first, the Deployment last."""
    elastic = {
        space: [complete(job) for job in members if job.elastic]
        for space, members in sorted(jobs.items())
    }
    elastic = {space: members for space, members in elastic.items() if members}
    if not elastic:
        return []
    home = next(iter(elastic))
    about = _About(name, home, colony)
    config_map = _config_map(about, elastic)
    return [
        about.manifest("v1", "ServiceAccount", automountServiceAccountToken=False),
        *_rights(about, elastic),
        config_map,
        _deployment(about, config_map),
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

    def binding(self, kind: str, role: Manifest, namespace: str | None = None) -> Manifest:
        account = {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}
        named = role["metadata"]["name"]
        ref = {"apiGroup": RBAC, "kind": role["kind"], "name": named}
        return self.manifest(f"{RBAC}/v1", kind, namespace, roleRef=ref, subjects=[account])


def _rights(about: _About, elastic: Mapping[str, list[Job]]) -> list[Manifest]:
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    everywhere = about.manifest(f"{RBAC}/v1", "ClusterRole", "", rules=[nodes])
    found = [everywhere, about.binding("ClusterRoleBinding", everywhere, "")]
    for space, jobs in elastic.items():
        role = about.manifest(f"{RBAC}/v1", "Role", space, rules=_rules(jobs))
        found += [role, about.binding("RoleBinding", role, space)]
    return found


def _rules(jobs: list[Job]) -> list[Manifest]:
    """A right to create cannot be bound to a name, nor one to list; all others are."""
    rules = [
        _rule("", "pods", ["list", "create", "patch", "delete"]),
        _rule("", "configmaps", ["create"]),
        _rule("", "configmaps", ["get"], [spec_name(job) for job in jobs]),
        _rule("", "configmaps", ["get", "update", "delete"], [live_name(job) for job in jobs]),
    ]
    for job in jobs:
        where = workload_of(job)
        group = where["path"].split("/")[2]
        rules.append(_rule(group, where["resource"], ["get"], [where["name"]]))
    removed = [(each["resource"], each["name"]) for job in jobs for each in removed_at_end(job)]
    for resource in sorted({resource for resource, _ in removed}):
        names = [name for kind, name in removed if kind == resource]
        rules.append(_rule("", resource, ["delete"], names))
    return rules


def _rule(group: str, resource: str, verbs: list[str], names: list[str] | None = None) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": [resource], "verbs": verbs}
    return {**rule, "resourceNames": names} if names else rule


def _config_map(about: _About, elastic: Mapping[str, list[Job]]) -> Manifest:
    jobs = [
        {"namespace": space, "name": job.name} for space, found in elastic.items() for job in found
    ]
    program = base64.b64encode(build_zipapp()).decode()
    return about.manifest(
        "v1",
        "ConfigMap",
        data={"jobs.json": json.dumps({"jobs": jobs}, sort_keys=True)},
        binaryData={"agent.pyz": program},
    )


def _deployment(about: _About, config_map: Manifest) -> Manifest:
    content = json.dumps([config_map["data"], config_map["binaryData"]], sort_keys=True)
    template = {
        "metadata": {
            "labels": dict(about.labels),
            # Another program or other jobs: another pod. Nothing is lost by that.
            "annotations": {"colony.dev/content-sha256": _sha256(content)},
        },
        "spec": _pod(about),
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # never two at once
        "selector": {"matchLabels": dict(about.labels)},
        "template": template,
    }
    return about.manifest("apps/v1", "Deployment", spec=spec)


def _pod(about: _About) -> Manifest:
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
        "containers": [_container()],
        "volumes": [{"name": "program", "configMap": {"name": about.name}}],
    }


def _container() -> Manifest:
    return {
        "name": "agent",
        "image": str(load("images.yaml")["agent"]),
        "command": ["python", "-I", f"{MOUNT}/agent.pyz", "--config", f"{MOUNT}/jobs.json"],
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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

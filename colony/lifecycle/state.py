"""What a state file says: clusters, things half done. Pure functions over `stack export`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from colony.contexts import in_context
from colony.lifecycle.ground import LiveCluster, Thing
from colony.lifecycle.kinds import named

__all__ = [
    "UNKNOWN", "cluster_identifiers", "in_clouds", "is_empty", "live_clusters", "manifests",
    "pending", "plain", "resources",
]  # fmt: skip

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
KUBERNETES = "pulumi:providers:kubernetes"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that did not come."""


def resources(deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(deployment.get("resources") or [])


def pending(deployment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Operations that were under way when the engine died: (operation, URN)."""
    operations = deployment.get("pending_operations") or []
    return [(item["type"], item["resource"]["urn"]) for item in operations]


def is_empty(deployment: Mapping[str, Any]) -> bool:
    return not resources(deployment) and not pending(deployment)


def live_clusters(deployment: Mapping[str, Any]) -> list[LiveCluster]:
    """Every cluster with a Kubernetes provider in the state; ours where the state owns it too. One
    that was refused has a provider without an identifier: nobody can talk to it."""
    owned = _owned(deployment)
    clusters = []
    for provider in resources(deployment):
        if provider["type"] != KUBERNETES:
            continue
        inputs = plain(provider.get("inputs") or {})
        identifier = str(inputs.get("clusterIdentifier", ""))
        if identifier == UNKNOWN:
            continue
        owner = owned.get(identifier)
        clusters.append(
            LiveCluster(
                name=str(owner["id"]).rsplit("/", 1)[-1]
                if owner
                else provider["urn"].rsplit("::", 1)[-1],
                cloud=_cloud(owner) if owner else "existing",
                identifier=identifier,
                kubeconfig=in_context(str(inputs.get("kubeconfig", "")), inputs.get("context")),
                ours=owner is not None,
            )
        )
    return clusters


def cluster_identifiers(deployment: Mapping[str, Any]) -> dict[str, str]:
    """The spec's name of each cluster -> its identifier, from the stack's outputs."""
    for resource in resources(deployment):
        if resource["type"] == "pulumi:pulumi:Stack":
            clusters = plain((resource.get("outputs") or {}).get("clusters")) or {}
            return {name: str(each.get("identifier")) for name, each in clusters.items()}
    return {}


def manifests(deployment: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Objects of a `Kind.group`, as the program gave them to the engine."""
    return [
        plain(each["inputs"])
        for each in resources(deployment)
        if each["type"].startswith("kubernetes:") and named(each.get("inputs") or {}) == kind
    ]


def in_clouds(deployment: Mapping[str, Any]) -> list[Thing]:
    """What the state believes to be in a cloud; what lives in a cluster goes with it."""
    return [
        Thing(str(each["id"]), each["type"], urn=each["urn"])
        for each in resources(deployment)
        if each.get("custom")
        and each.get("id")
        and not each["type"].startswith(("pulumi:", "kubernetes:"))
    ]


def names(deployment: Mapping[str, Any]) -> list[str]:
    """What is still there, for people: `Release demo-main-kueue`."""
    return [
        f"{each['type'].rsplit(':', 1)[-1]} {each['urn'].rsplit('::', 1)[-1]}"
        for each in resources(deployment)
        if each.get("custom") and not each["type"].startswith("pulumi:")
    ]


def plain(value: Any) -> Any:
    """A state value with its secrets opened (of an export with --show-secrets)."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET:
        return plain(json.loads(value["plaintext"])) if "plaintext" in value else None
    return {key: plain(item) for key, item in value.items()}


def _cloud(owner: Mapping[str, Any]) -> str:
    """By the provider that made it; hosts of one's own are reached by commands."""
    package = str(owner["type"]).split(":", 1)[0]
    return "onprem" if package == "command" else package


def _owned(deployment: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Resources of the state by the identifiers that a cluster provider may name them with."""
    owned = {}
    for resource in resources(deployment):
        outputs = resource.get("outputs") or {}
        triggers = outputs.get("triggers")
        named = triggers if isinstance(triggers, list) else []
        ids = (resource.get("id"), outputs.get("arn"), outputs.get("selfLink"), *named)
        for identifier in ids:
            if isinstance(identifier, str) and not resource["type"].startswith("pulumi:"):
                owned[identifier] = resource
    return owned

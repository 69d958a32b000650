"""Rules of the agent's roles. Plain values."""

from __future__ import annotations

from typing import Any

__all__ = ["own_map", "rule"]

Manifest = dict[str, Any]


def rule(group: str, resource: str, verbs: list[str], names: list[str] | None = None) -> Manifest:
    """Of one resource; of these `names` alone, where there are any."""
    found: Manifest = {"apiGroups": [group], "resources": [resource], "verbs": verbs}
    return {**found, "resourceNames": names} if names else found


def own_map(name: str, owner: str) -> list[Manifest]:
    """To keep state in the ConfigMap `name`, which goes with `owner`. To create cannot be narrowed
    to a name: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
    """
    return [
        rule("", "configmaps", ["create"]),
        rule("", "configmaps", ["get", "update"], [name]),
        rule("", "configmaps", ["get"], [owner]),
    ]

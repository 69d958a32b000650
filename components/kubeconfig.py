"""Kubeconfigs that hold no token: the client asks the cloud for one. Pure: no pulumi."""

from __future__ import annotations

from typing import Any

__all__ = ["NOWHERE", "exec_kubeconfig"]

NOWHERE = '{"apiVersion": "v1", "kind": "Config", "clusters": [], "contexts": [], "users": []}'
"""Of a cluster that is not there. An empty text would mean the user's own."""


def exec_kubeconfig(
    name: str, server: str, certificate: str, command: str, arguments: list[str]
) -> dict[str, Any]:
    """A kubeconfig of one context `name`; `certificate` is base64, `command` prints a token.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": certificate},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": command,
                        "args": arguments,
                        "interactiveMode": "Never",
                        "provideClusterInfo": False,
                    }
                },
            }
        ],
    }

"""Helm releases that a kill left half made: what keeps the next run from going on is taken away.

Helm writes `pending-install` (or -upgrade, -rollback) before it begins, into a Secret of its own,
and refuses to touch the release while that stands. A process that was killed never takes it
back. What it had made stays: Helm takes over objects that carry the release's name.
https://helm.sh/docs/topics/advanced/#storage-backends
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from colony.contexts import in_context
from colony.kubeapi import KubeApi, Resource
from colony.lifecycle.ground import Ground, Tell, deployment_of
from colony.lifecycle.state import KUBERNETES, plain, resources

__all__ = ["Interrupted", "free_releases", "interrupted_releases", "unlock"]

RELEASE = "kubernetes:helm.sh/v3:Release"
SECRETS = Resource("v1", "Secret", "secrets", True)
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass(frozen=True)
class Interrupted:
    """A release that was being made or changed when the engine died."""

    namespace: str
    name: str
    kubeconfig: str
    """Of its provider."""


def free_releases(ground: Ground, stack: str, tell: Tell) -> None:
    """Before an `up`. Nobody works on them: the stack's lock was ours to take."""
    if not ground.engine.pending(stack):
        return
    for each in interrupted_releases(deployment_of(ground, stack)):
        if kubeconfig := ground.kubeconfig(each.kubeconfig):
            unlock(KubeApi(kubeconfig), each, tell)


def interrupted_releases(deployment: Mapping[str, Any]) -> Iterator[Interrupted]:
    """Those that a state's pending operations name."""
    providers = {
        f"{each['urn']}::{each.get('id')}": _kubeconfig(plain(each.get("inputs") or {}))
        for each in resources(deployment)
        if each["type"] == KUBERNETES
    }
    for operation in deployment.get("pending_operations") or []:
        found = operation["resource"]
        if found["type"] == RELEASE and operation["type"] in ("creating", "updating"):
            inputs = plain(found.get("inputs") or {})
            yield Interrupted(
                str(inputs.get("namespace") or "default"),
                str(inputs.get("name")),
                providers.get(str(found.get("provider")), ""),
            )


def _kubeconfig(provider: Mapping[str, Any]) -> str:
    return in_context(str(provider.get("kubeconfig") or ""), provider.get("context"))


def unlock(api: KubeApi, release: Interrupted, tell: Tell) -> None:
    """Removes the records of what was never finished; the last finished one is then the newest."""
    selector = f"owner=helm,name={release.name}"
    for secret in api.listed(SECRETS, release.namespace, selector):
        metadata = secret["metadata"]
        status = metadata["labels"].get("status")
        if status in PENDING:
            tell(f"{release.namespace}/{release.name} was interrupted ({status}): goes on anew")
            api.delete(SECRETS, release.namespace, metadata["name"], uid=metadata["uid"])

"""A real cluster's API as watching and draining need it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colony.kubeapi import ApiRefused, KubeApi, Resource
from colony.lifecycle.kinds import carries, rank_name
from jobs.errors import ColonyError

__all__ = ["Kube"]

MANAGER = "colony"
REMADE = 120.0
"""Seconds until an object and all that it owns must be gone."""
STEP = 0.5
VERSIONS = {
    "JobSet": "jobset.x-k8s.io/v1alpha2",
    "Job": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
}
"""apiVersion of kinds named without their group; the others are `v1`."""


class Kube:
    """`ClusterAccess` for a kubeconfig's text. `selector` names by label what a drain may delete;
    empty where the whole cluster is ours."""

    def __init__(self, kubeconfig: str, context: str | None = None, selector: str = "") -> None:
        self._api = KubeApi(kubeconfig, context)
        self._selector = selector

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """A kind that the cluster does not know has no objects."""
        resource = self._resource(kind)
        return self._api.listed(resource, namespace) if resource else []

    def removable(self, kind: str) -> list[dict[str, Any]]:
        resource = self._resource(kind)
        return self._api.listed(resource, selector=self._selector) if resource else []

    def put(self, obj: dict[str, Any]) -> None:
        """Raises ApiRefused where the API server has no such kind or refuses it."""
        resource = self._api.resource(obj["apiVersion"], obj["kind"])
        if resource is None:
            raise ApiRefused(404, {"message": f"{obj['kind']} is not served here"})
        self._api.apply(resource, obj, MANAGER)

    def annotate(self, kind: str, namespace: str, name: str, marks: Mapping[str, str]) -> None:
        if resource := self._resource(kind):
            self._merge(resource, namespace, name, {"annotations": dict(marks)})

    def delete(self, kind: str, namespace: str, name: str) -> None:
        if resource := self._resource(kind):
            self._api.delete(resource, namespace, name)

    def evict(self, namespace: str, name: str) -> None:
        self._api.evict(namespace, name)

    def restart(self, manifest: dict[str, Any]) -> None:
        """In the foreground: pods of the old one would take the new one's names."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        resource = self._api.resource(manifest["apiVersion"], kind)
        old = self._api.get(resource, namespace, name) if resource else None
        if resource is None or old is None:
            raise ColonyError(f"{kind} {namespace}/{name} is gone: it cannot be started again")
        uid = old["metadata"]["uid"]
        self._api.delete(resource, namespace, name, uid=uid, propagation="Foreground")
        deadline = time.monotonic() + REMADE
        while self._api.get(resource, namespace, name) is not None:
            if time.monotonic() > deadline:
                raise ColonyError(f"{kind} {namespace}/{name} is not gone after {REMADE:.0f} s")
            time.sleep(STEP)
        self._api.apply(resource, manifest, _manager(old))

    def free(self, kind: str, namespace: str, name: str) -> None:
        if resource := self._resource(kind):
            self._merge(resource, namespace, name, {"finalizers": None})

    def _merge(
        self, resource: Resource, namespace: str, name: str, metadata: dict[str, Any]
    ) -> None:
        """Gone already is fine."""
        try:
            self._api.merge(resource, namespace, name, {"metadata": metadata})
        except ApiRefused as refused:
            if refused.code != 404:
                raise

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        """One file a pod; a pod whose log cannot be had is left out."""
        kept: list[Path] = []
        for pod in self.objects("Pod", namespace):
            metadata = pod["metadata"]
            if not carries(pod, job):
                continue
            try:
                text = self._api.log(metadata["namespace"], metadata["name"])
            except ColonyError:  # a log is no reason to stop a destroy
                continue
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{rank_name(pod)}.log"
            path = folder / f"{metadata['name']}.log" if path in kept else path
            path.write_text(text)
            kept.append(path)
        return kept

    def _resource(self, kind: str) -> Resource | None:
        name, dot, group = kind.partition(".")
        if dot:
            return self._api.of_group(group, name)
        return self._api.resource(VERSIONS.get(kind, "v1"), kind)


def _manager(old: dict[str, Any]) -> str:
    """Whoever applied it: its fields stay those of the engine's provider."""
    managers = old["metadata"].get("managedFields") or []
    applied = [each["manager"] for each in managers if each.get("operation") == "Apply"]
    return str(applied[0]) if applied else "colony"

"""A real cluster's API as watching and draining need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from colony.kubeapi import KubeApi, Resource
from colony.lifecycle.kinds import carries, rank_name
from jobs.errors import ColonyError

__all__ = ["Kube"]

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

    def delete(self, kind: str, namespace: str, name: str) -> None:
        if resource := self._resource(kind):
            self._api.delete(resource, namespace, name)

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

"""A real cluster's API, by the Kubernetes client; the kubeconfig's exec plugin gives the token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import ColonyError, NotReady

__all__ = ["Kube"]

VERSIONS = {
    "JobSet": "jobset.x-k8s.io/v1alpha2",
    "Job": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
}
"""apiVersion by kind; the others are `v1`."""
TIMEOUT = 30.0
"""Seconds for one request."""


class Kube:
    """`ClusterAccess` for a kubeconfig's text, or the caller's own with a context."""

    def __init__(self, kubeconfig: str, context: str | None = None) -> None:
        try:
            from kubernetes import config, dynamic
        except ImportError as error:
            raise NotReady("the Kubernetes client is missing: install `kubernetes`") from error
        content = yaml.safe_load(kubeconfig)
        self._api = config.new_client_from_config_dict(content, context=context)
        self._dynamic = dynamic

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        """A kind that the cluster does not know has no objects."""
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        def ask() -> list[dict[str, Any]]:
            try:
                resource = self._resource(kind)
            except ResourceNotFoundError:
                return []
            found = resource.get(namespace=namespace, _request_timeout=TIMEOUT).to_dict()
            return [{"kind": kind, **item} for item in found["items"]]

        found: list[dict[str, Any]] = _answered(ask)
        return found

    def delete(self, kind: str, namespace: str, name: str) -> None:
        from kubernetes.dynamic.exceptions import NotFoundError

        def ask() -> None:
            try:
                self._resource(kind).delete(
                    name=name, namespace=namespace, _request_timeout=TIMEOUT
                )
            except NotFoundError:
                return

        _answered(ask)

    def keep_logs(self, job: str, folder: Path) -> list[Path]:
        """One file a pod; a pod whose log cannot be had is left out."""
        from kubernetes.client import CoreV1Api

        core, kept = CoreV1Api(self._api), []
        for pod in self.objects("Pod"):
            metadata = pod["metadata"]
            if (metadata.get("labels") or {}).get("jobset.sigs.k8s.io/jobset-name") != job:
                continue
            try:
                text = core.read_namespaced_pod_log(
                    metadata["name"], metadata["namespace"], _request_timeout=TIMEOUT
                )
            except Exception:  # whatever the client raises: a log is no reason to stop a destroy
                continue
            folder.mkdir(parents=True, exist_ok=True)
            kept.append(folder / f"{_rank_name(metadata)}.log")
            kept[-1].write_text(text)
        return kept

    def _resource(self, kind: str) -> Any:
        if not hasattr(self, "_client"):
            self._client = self._dynamic.DynamicClient(self._api)
        return self._client.resources.get(api_version=VERSIONS.get(kind, "v1"), kind=kind)


def _answered(ask: Callable[[], Any]) -> Any:
    """Whatever keeps a cluster from answering is one kind of error for us."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return ask()
    except (ApiException, HTTPError, OSError) as error:
        raise ColonyError(f"the cluster does not answer: {error}") from error


def _rank_name(metadata: dict[str, Any]) -> str:
    """`worker-3` from the labels that JobSet and Job put on a pod."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    role = labels.get("jobset.sigs.k8s.io/replicatedjob-name", "worker")
    index = annotations.get("batch.kubernetes.io/job-completion-index", "0")
    return f"{role}-{index}"

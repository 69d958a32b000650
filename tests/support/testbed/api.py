"""The API server of a cluster: plain dicts in and out, a deadline on every request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Api", "Object"]

Object = dict[str, Any]
Names = list[str]  # a method is called `list`
MANAGER = "testbed"
REQUEST = 30.0
"""Seconds for one request."""
OWN = {("v1", "ConfigMap", "kube-root-ca.crt"), ("v1", "ServiceAccount", "default")}
"""What Kubernetes itself keeps in each namespace."""
PASSING = {"Event", "PodMetrics"}
"""Kinds that go by themselves and hold nothing."""


class Api:
    """A cluster by its kubeconfig. Kinds are written with their version: `batch/v1/Job`."""

    def __init__(self, kubeconfig: Path) -> None:
        from kubernetes import config, dynamic

        self.kubeconfig = kubeconfig
        self._api = config.new_client_from_config(str(kubeconfig))
        cache = kubeconfig.with_suffix(".discovery.json")
        self._dynamic = dynamic.DynamicClient(self._api, cache_file=str(cache))

    def close(self) -> None:
        self._api.close()

    def apply(
        self, *manifests: Object | str, namespace: str | None = None, manager: str = MANAGER
    ) -> list[Object]:
        """Server-side apply of objects, or YAML of several; the answers, in order.

        Raises kubernetes' ApiException where the API server refuses one.
        """
        return [
            self._resource(each)
            .server_side_apply(
                body=each,
                namespace=_namespace(each, namespace),
                field_manager=manager,
                force_conflicts=True,
                _request_timeout=REQUEST,
            )
            .to_dict()
            for each in _objects(manifests)
        ]

    def create(self, manifest: Object, namespace: str | None = None) -> None:
        """One object, if it is not there yet: a third of the work of an apply, for large ones."""
        from kubernetes.dynamic.exceptions import ConflictError

        try:
            self._resource(manifest).create(
                body=manifest,
                namespace=_namespace(manifest, namespace),
                serialize=False,
                _request_timeout=REQUEST,
            )
        except ConflictError:
            return

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """None where there is no such object."""
        from kubernetes.dynamic.exceptions import NotFoundError

        try:
            resource = self._kind(kind)
            found: Object = resource.get(
                name=name, namespace=namespace, _request_timeout=REQUEST
            ).to_dict()
        except NotFoundError:
            return None
        return found

    def list(
        self, kind: str, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """All of a kind; in all namespaces without one."""
        answer = self._kind(kind).get(
            namespace=namespace,
            label_selector=labels,
            field_selector=fields,
            _request_timeout=REQUEST,
        )
        items: list[Object] = answer.to_dict()["items"]
        return items

    def patch(
        self,
        kind: str,
        name: str,
        change: Object,
        namespace: str | None = None,
        subresource: str = "",
    ) -> Object:
        """A merge patch, of a subresource such as `status` where one is named."""
        resource = self._kind(kind)
        if subresource:
            resource = resource.subresources[subresource]
        changed: Object = resource.patch(
            body={"metadata": {"name": name}, **change},
            name=name,
            namespace=namespace,
            content_type="application/merge-patch+json",
            _request_timeout=REQUEST,
        ).to_dict()
        return changed

    def delete(
        self, kind: str, name: str, namespace: str | None = None, grace: int | None = None
    ) -> None:
        """Asks for it, in the background; what is not there is fine."""
        from kubernetes.dynamic.exceptions import NotFoundError

        body: Object = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        try:
            self._kind(kind).delete(
                name=name, namespace=namespace, body=body, _request_timeout=REQUEST
            )
        except NotFoundError:
            return

    def delete_all(self, kind: str, labels: str, namespace: str | None = None) -> None:
        """All that the labels select, in one request."""
        self._kind(kind).delete(
            namespace=namespace, label_selector=labels, _request_timeout=REQUEST * 4
        )

    def serves(self, version: str, plural: str) -> bool:
        """Whether the API server serves that resource of a version, such as `apps/v1` now."""
        from kubernetes.client import ApiException

        try:
            answer = self._dynamic.request("get", f"/apis/{version}", serialize=False)
        except ApiException:
            return False
        return plural in {each["name"] for each in json.loads(answer.data)["resources"]}

    def everything(self) -> dict[str, Object]:
        """`kind namespace/name` -> object, of every kind that can be listed but those that pass."""
        kinds = self._kinds(lambda found: True)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self._listed, kinds))
        return {
            f"{kind} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one
            for kind, found in zip(kinds, answers, strict=True)
            for one in found
        }

    def leftovers(self, namespace: str) -> Names:
        """`kind name` of everything in a namespace but events and what Kubernetes keeps itself."""
        kinds = self._kinds(lambda found: bool(getattr(found, "namespaced", False)))
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda kind: (kind, self._names(kind, namespace)), kinds))
        return [
            f"{kind} {name}"
            for kind, names in found
            for name in names
            if (*kind.rpartition("/")[::2], name) not in OWN
        ]

    def _resource(self, manifest: Object) -> Any:
        return self._kind(f"{manifest['apiVersion']}/{manifest['kind']}")

    def _kind(self, kind: str) -> Any:
        version, _, name = kind.rpartition("/")
        return self._dynamic.resources.get(api_version=version, kind=name)

    def _kinds(self, is_wanted: Callable[[Any], bool]) -> Names:
        from kubernetes.dynamic.exceptions import NotFoundError

        try:
            return self._served(is_wanted)
        except NotFoundError:  # the last definition of a group went while the groups were read
            self._dynamic.resources.invalidate_cache()
            return self._served(is_wanted)

    def _served(self, is_wanted: Callable[[Any], bool]) -> Names:
        return sorted(
            {
                f"{found.group_version}/{found.kind}"
                for several in self._dynamic.resources
                for found in (several if isinstance(several, list) else [several])
                if _can_be_left(found) and is_wanted(found)
            }
        )

    def _names(self, kind: str, namespace: str) -> Names:
        return [each["metadata"]["name"] for each in self._listed(kind, namespace)]

    def _listed(self, kind: str, namespace: str | None = None) -> list[Object]:
        from kubernetes.dynamic.exceptions import MethodNotAllowedError, NotFoundError

        try:
            return self.list(kind, namespace)
        except (NotFoundError, MethodNotAllowedError):
            return []


def _objects(manifests: tuple[Object | str, ...]) -> Iterator[Object]:
    for each in manifests:
        if isinstance(each, str):
            yield from (one for one in yaml.safe_load_all(each) if one)
        else:
            yield each


def _namespace(manifest: Object, namespace: str | None) -> str | None:
    named: str | None = manifest["metadata"].get("namespace")
    return named or namespace


def _can_be_left(resource: Any) -> bool:
    if resource.kind.endswith("List"):
        return False
    return "list" in resource.verbs and resource.kind not in PASSING

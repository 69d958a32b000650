"""One real Kubernetes API server: discovery, reads, server-side apply, deletes. Plain values.

Credentials and TLS are the Kubernetes client's; its import is slow, so it waits for the first use.
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import yaml

from jobs.errors import ColonyError, InputError, NotReady, RunFailed

__all__ = ["ApiRefused", "KubeApi", "Resource", "Unreachable"]

TIMEOUT = 30.0
"""Seconds for one request."""
PAGE = 500
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

Object = dict[str, Any]


class ApiRefused(RunFailed):
    """The API server says no. `code` is HTTP's, `reason` Kubernetes' word for it."""

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        self.code = code
        self.reason = str(status.get("reason") or code)
        self.details: Mapping[str, Any] = status.get("details") or {}
        super().__init__(str(status.get("message") or f"the API server answered {code}"))


class Unreachable(ColonyError):
    """No answer, or none that makes sense."""


@dataclass(frozen=True)
class Resource:
    """Where objects of a kind are, as the API server's discovery says."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    def path(self, namespace: str | None = None, name: str = "", part: str = "") -> str:
        root = "/apis" if "/" in self.api_version else "/api"
        space = f"/namespaces/{quote(namespace)}" if namespace and self.namespaced else ""
        steps = [step for step in (quote(name), part) if step]
        return "/".join([f"{root}/{self.api_version}{space}/{self.plural}", *steps])


class KubeApi:
    """Thread-safe. Methods raise ApiRefused and Unreachable; None and [] are what is not there."""

    def __init__(self, kubeconfig: str, context: str | None = None) -> None:
        try:
            from kubernetes import config
        except ImportError as error:
            raise NotReady("the Kubernetes client is missing: install `kubernetes`") from error
        try:
            content = yaml.safe_load(kubeconfig)
            self._client = config.new_client_from_config_dict(content, context=context)
        except (config.ConfigException, yaml.YAMLError, AttributeError) as error:
            raise InputError(f"the kubeconfig cannot be used: {error}") from None
        self._known: dict[tuple[str, str], Resource] = {}

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """The kind, asked of the API server until it serves it."""
        if (api_version, kind) not in self._known:
            for found in self._served(api_version):
                self._known[api_version, found.kind] = found
        return self._known.get((api_version, kind))

    def of_group(self, group: str, kind: str) -> Resource | None:
        """The kind in the version that its group prefers."""
        for version in self._versions(group):
            if found := self.resource(version, kind):
                return found
        return None

    def resources(self) -> Iterator[Resource]:
        """Every kind that can be listed and deleted, in its group's preferred version."""
        groups = self._ask("GET", "/apis").get("groups") or []
        for version in ["v1", *(each["preferredVersion"]["groupVersion"] for each in groups)]:
            yield from (each for each in self._served(version) if {"list", "delete"} <= each.verbs)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        try:
            return self._ask("GET", resource.path(namespace, name))
        except ApiRefused as refused:
            if refused.code == 404:
                return None
            raise

    def listed(
        self, resource: Resource, namespace: str | None = None, selector: str = ""
    ) -> list[Object]:
        """With kind and version, which lists leave out of their items."""
        found: list[Object] = []
        more = ""
        while True:
            query = {"limit": str(PAGE), "labelSelector": selector, "continue": more}
            page = self._ask("GET", resource.path(namespace), query)
            found += page.get("items") or []
            more = (page.get("metadata") or {}).get("continue") or ""
            if not more:
                break
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**head, **item} for item in found]

    def apply(
        self,
        resource: Resource,
        obj: Object,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply; unknown fields are refused. A field of another manager is a conflict
        unless `force`. `dry_run`: all checks, admission too, and nothing is kept."""
        metadata = obj["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        query = {
            "fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict",
            "dryRun": "All" if dry_run else "",
        }  # fmt: skip
        return self._ask("PATCH", path, query, obj, APPLY)

    def merge(
        self, resource: Resource, namespace: str | None, name: str, change: Object, part: str = ""
    ) -> Object:
        """A merge patch of the object or of one part of it, such as its status."""
        return self._ask("PATCH", resource.path(namespace, name, part), body=change, content=MERGE)

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str = "",
        propagation: str = "Background",
    ) -> None:
        """Asks for the deletion. Gone already is fine; with `uid` so is another of that name."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        options["propagationPolicy"] = propagation
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._ask("DELETE", resource.path(namespace, name), body=options)
        except ApiRefused as refused:
            if refused.code != 404 and not (uid and refused.code == 409):
                raise

    def evict(self, namespace: str, pod: str) -> None:
        """https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/; gone already is
        fine, and a disruption budget that forbids it is refused with 429."""
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/eviction"
        metadata = {"name": pod, "namespace": namespace}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        try:
            self._ask("POST", path, body=body)
        except ApiRefused as refused:
            if refused.code != 404:
                raise

    def log(self, namespace: str, pod: str) -> str:
        """What the pod's first container wrote."""
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        return self._send("GET", path, {}, None, "").decode(errors="replace")

    def _versions(self, group: str) -> list[str]:
        if not group:
            return ["v1"]
        try:
            found = self._ask("GET", f"/apis/{quote(group)}")
        except ApiRefused as refused:
            if refused.code == 404:
                return []
            raise
        first = found["preferredVersion"]["groupVersion"]
        others = [each["groupVersion"] for each in found.get("versions") or []]
        return [first, *(version for version in others if version != first)]

    def _served(self, api_version: str) -> list[Resource]:
        root = "/apis" if "/" in api_version else "/api"
        try:
            found = self._ask("GET", f"{root}/{api_version}")
        except ApiRefused as refused:
            if refused.code == 404:
                return []
            raise
        return [
            Resource(
                api_version,
                each["kind"],
                each["name"],
                bool(each["namespaced"]),
                frozenset(each["verbs"]),
            )
            for each in found.get("resources") or []
            if "/" not in each["name"]
        ]

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = "application/json",
    ) -> Object:
        try:
            found = json.loads(self._send(method, path, query or {}, body, content) or b"{}")
        except ValueError:
            raise Unreachable(f"the cluster does not answer in JSON: {path}") from None
        return dict(found)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Object | None, content: str
    ) -> bytes:
        """Whatever keeps a cluster from answering is one kind of error for us."""
        from urllib3.exceptions import HTTPError

        configuration = self._client.configuration
        given = urlencode({key: value for key, value in query.items() if value})
        url = f"{configuration.host}{path}" + (f"?{given}" if given else "")
        headers = {"Accept": "application/json", "Content-Type": content or "application/json"}
        for auth in configuration.auth_settings().values():
            headers[auth["key"]] = auth["value"]
        data = None if body is None else json.dumps(body)
        try:
            answer = self._client.rest_client.pool_manager.request(
                method, url, body=data, headers=headers, timeout=TIMEOUT
            )
        except (HTTPError, OSError) as error:
            raise Unreachable(f"the cluster does not answer: {error}") from error
        if not 200 <= answer.status <= 299:
            raise ApiRefused(answer.status, _status(answer.data))
        return bytes(answer.data)


def _status(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace")[:1000]}
    return found if isinstance(found, dict) else {}

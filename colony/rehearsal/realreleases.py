"""Releases on a real API server: carried out by real Helm, and remembered in the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from colony.kubeapi import KubeApi
from colony.rehearsal.calls import Call, Refusal, Result
from colony.rehearsal.cloud import Cloud
from colony.rehearsal.helm import Helm
from colony.rehearsal.kubernetes import RELEASE
from colony.rehearsal.objects import CRD
from colony.rehearsal.package import Package
from colony.rehearsal.realobjects import refusing
from colony.rehearsal.realserver import RealServer
from colony.rehearsal.state import Change, object_key
from colony.rehearsal.wire import mask, spread

__all__ = ["HelmServer"]

VACATE = 60.0
"""Seconds that an uninstall may take in a cluster that is deleted."""
FAILED = "failed"
"""Helm's word for a release that was made and did not become ready."""
DEFINITION = {"apiVersion": f"{CRD[0]}/v1", "kind": CRD[1]}

Carry = Callable[[Mapping[str, Any], threading.Event], dict[str, Any]]


class HelmServer(RealServer):
    """The second store where a Helm program was given."""

    def __init__(
        self,
        cloud: Cloud,
        package: Package,
        api: KubeApi,
        mark: str,
        lock: threading.RLock,
        helm: Helm,
    ) -> None:
        super().__init__(cloud, package, api, mark, lock)
        self._helm = helm

    def outside(self, call: Call) -> bool:
        return True

    def create(self, call: Call) -> Result:
        if call.type != RELEASE:
            return super().create(call)
        return self._carried_out(call, self._helm.install)

    def update(self, call: Call) -> Result:
        if call.type != RELEASE:
            return super().update(call)
        return self._carried_out(call, self._helm.upgrade)

    def read(self, call: Call) -> dict[str, Any] | None:
        if call.type != RELEASE:
            return super().read(call)
        namespace, _, name = call.id.rpartition("/")
        said = self._helm.status(namespace, name)
        return None if said is None else {**call.olds, "status": _status(call.olds, said)}

    def delete(self, call: Call) -> Result:
        if call.type != RELEASE:
            return super().delete(call)
        namespace, _, name = call.id.rpartition("/")
        given = {**call.olds, "name": name, "namespace": namespace}
        self._helm.uninstall(given, call.config.stopped, seconds=call.timeout)
        with self._lock:
            cluster = self.cluster(call.config)
            key = object_key("helm.sh", "Release", namespace, name)
            return Result(call.id, changes=self.removal(cluster, key))

    def vacate(self, cluster: str, stopped: threading.Event) -> None:
        """Without hooks: nobody would run them in a cluster that is gone."""
        with self._lock:
            records = [each for each in self.records(cluster).values() if "definitions" in each]
        for record in records:
            metadata = record["object"]["metadata"]
            self._helm.uninstall(metadata, stopped, hooks=False, seconds=VACATE)
            self._forget(record["definitions"])
        super().vacate(cluster, stopped)

    def _carried_out(self, call: Call, carry: Carry) -> Result:
        inputs, stopped = call.inputs, call.config.stopped
        namespace, name = str(inputs["namespace"]), str(inputs["name"])
        with self._lock:
            cluster = self.cluster(call.config)
        changes = self._make_namespace(call, cluster, namespace)
        brought = self._brought(call)
        result = Result(f"{namespace}/{name}", changes=changes, secrets=call.secrets)
        try:
            said = carry(inputs, stopped)
        except Refusal as refused:
            left = self._helm.status(namespace, name)
            if left and _status(inputs, left)["status"] == FAILED:
                refused.half = self._filled_in(result, call, cluster, left, brought)
            raise
        return self._filled_in(result, call, cluster, said, brought)

    def _filled_in(
        self, result: Result, call: Call, cluster: str, said: Mapping[str, Any], brought: list[str]
    ) -> Result:
        inputs = {k: v for k, v in call.inputs.items() if not k.startswith("__")}
        made = _resource_names(str(said.get("manifest") or ""))
        result.outputs = {**inputs, "status": _status(inputs, said), "resourceNames": made}
        metadata = {"name": inputs["name"], "namespace": inputs["namespace"]}
        hidden = mask(
            result.outputs, spread(result.outputs, call.inputs, call.secrets), self.cloud.key
        )
        head = {"apiVersion": "helm.sh/v3", "kind": "Release", "metadata": metadata}
        key = object_key("helm.sh", "Release", metadata["namespace"], metadata["name"])
        with self._lock:
            generation = self.world.generations.get(call.urn, 0) + 1
        record: dict[str, Any] = {
            "object": {**head, **hidden}, "urn": call.urn, "generation": generation, "backs": [],
            "definitions": brought,
        }  # fmt: skip
        result.changes.append(["object", cluster, key, record])
        return result

    def _make_namespace(self, call: Call, cluster: str, namespace: str) -> list[Change]:
        if not call.inputs.get("createNamespace") or self.namespace_exists(cluster, namespace):
            return []
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        return self.put(cluster, made)

    def _brought(self, call: Call) -> list[str]:
        """The definitions of the chart's `crds/` that this release is the first to install."""
        if call.inputs.get("skipCrds"):
            return []
        resource = self._objects.resource_of(DEFINITION)
        names = self._helm.definitions(call.inputs, call.config.stopped)
        with refusing(DEFINITION), self._lock:
            old = self.records(self.cluster(call.config)).values()
            ours = {name for record in old for name in record.get("definitions", ())}
            return [n for n in names if n in ours or self._api.get(resource, None, n) is None]

    def _forget(self, definitions: list[str]) -> None:
        resource = self._objects.resource_of(DEFINITION)
        with refusing(DEFINITION):
            for name in definitions:
                self._api.delete(resource, None, name)


def _status(inputs: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    metadata = (said.get("chart") or {}).get("metadata") or {}
    return {
        "name": inputs["name"], "namespace": inputs["namespace"],
        "chart": metadata.get("name", ""), "version": metadata.get("version", ""),
        "appVersion": metadata.get("appVersion", ""), "revision": said.get("version", 0),
        "status": (said.get("info") or {}).get("status", "unknown"),
    }  # fmt: skip


def _resource_names(manifest: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for each in yaml.safe_load_all(manifest):
        if each:
            kind = f"{each['kind']}.{str(each['apiVersion']).rpartition('/')[0]}"
            names.setdefault(kind, []).append(str(each["metadata"]["name"]))
    return names

"""The second store: clusters whose objects are in a real API server, with real controllers.

Objects are made by server-side apply, awaited, read and really deleted. Releases stay in the
journal: no chart can be fetched here, and the test cluster's controllers run already. Everything
made carries a label of its world and cluster, and nothing else is ever deleted.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any

from colony.kubeapi import ApiRefused, KubeApi, Resource, Unreachable
from colony.rehearsal import readiness
from colony.rehearsal.calls import Call, Refusal, Result
from colony.rehearsal.cloud import Cloud
from colony.rehearsal.kubernetes import RELEASE, Kubernetes
from colony.rehearsal.marks import MARK, mark_of
from colony.rehearsal.objects import CRD, is_secret, live, said, spelled
from colony.rehearsal.package import Package
from colony.rehearsal.realobjects import Object, RealObjects, refusing, uid_of
from colony.rehearsal.state import Change
from colony.rehearsal.wire import mask, spread

__all__ = ["RealServer"]

MANAGER = "colony"
LAST = ("Namespace", "CustomResourceDefinition")
"""Go when what is in them, or of them, has gone."""


class RealServer(Kubernetes):
    """The provider's operations where `api` has the objects. `lock` guards the world."""

    def __init__(
        self, cloud: Cloud, package: Package, api: KubeApi, mark: str, lock: threading.RLock
    ) -> None:
        super().__init__(cloud, package)
        self._objects, self._api = RealObjects(api), api
        self._mark, self._lock = mark, lock

    def outside(self, call: Call) -> bool:
        return call.type != RELEASE

    def create(self, call: Call) -> Result:
        if not self.outside(call):
            return super().create(call)
        with self._lock:
            cluster = self.cluster(call.config)
            generation = self.world.generations.get(call.urn, 0) + 1
        with refusing(call.inputs):
            resource = self._objects.resource_of(call.inputs)
            wanted = self._manifest(cluster, call.inputs, resource)
            if self._objects.get(resource, wanted) is not None:
                raise Refusal("AlreadyExists", said(wanted, "already exists"))
            return self._applied(call, cluster, resource, wanted, generation)

    def update(self, call: Call) -> Result:
        if not self.outside(call):
            return super().update(call)
        with self._lock:
            cluster = self.cluster(call.config)
            generation = self.world.generations.get(call.urn, 1)
        with refusing(call.inputs):
            resource = self._objects.resource_of(call.inputs)
            wanted = self._manifest(cluster, call.inputs, resource)
            found = self._objects.get(resource, wanted)
            if found is None:
                raise Refusal("NotFound", said(wanted, "not found"))
            if uid_of(call.olds) not in ("", uid_of(found)):
                raise Refusal("Conflict", said(wanted, "is not the one that was made here"))
            wanted["metadata"]["uid"] = uid_of(found)
            return self._applied(call, cluster, resource, wanted, generation)

    def read(self, call: Call) -> Object | None:
        if not self.outside(call):
            return super().read(call)
        known = call.olds or call.inputs
        namespace, _, name = call.id.rpartition("/")
        with refusing(known):
            resource = self._objects.resource(known)
            found = self._api.get(resource, namespace, name) if resource else None
        return None if found is None else _outputs(found)

    def delete(self, call: Call) -> Result:
        if not self.outside(call):
            return super().delete(call)
        with self._lock:
            cluster = self.cluster(call.config)
        namespace, _, name = call.id.rpartition("/")
        known = {**call.olds, "metadata": {**(call.olds.get("metadata") or {}), "name": name}}
        with refusing(known):
            self._objects.remove(known, namespace, mark_of(self._mark, cluster), call)
        with self._lock:
            return Result(call.id, changes=self.removal(cluster, self._key_of(call)))

    def put(self, cluster: str, obj: Mapping[str, Any], urn: str = "") -> list[Change]:
        """What somebody makes by the API while an operation runs."""
        with refusing(obj):
            resource = self._objects.resource_of(obj)
            wanted = self._manifest(cluster, obj, resource)
            made = self._api.apply(resource, wanted, MANAGER)
        with self._lock:
            return self._recorded(cluster, made, urn, 1)

    def objects(
        self, cluster: str, kind: str, namespace: str | None = None
    ) -> list[dict[str, Any]]:
        """What this world has put there, of one kind (`Kind.group`, or of the core group)."""
        name, _, group = kind.partition(".")
        with refusing({"kind": name}):
            resource = self._api.of_group(group, name)
            selector = f"{MARK}={mark_of(self._mark, self.known(cluster))}"
            return self._api.listed(resource, namespace, selector) if resource else []

    def discard(self, cluster: str, kind: str, namespace: str | None, name: str) -> list[Change]:
        """`kubectl delete --wait=false`, of what this world has put there."""
        for obj in self.objects(cluster, kind, namespace):
            if obj["metadata"]["name"] == name:
                with refusing(obj):
                    self._objects.delete(self._objects.resource_of(obj), obj, "Foreground")
                with self._lock:
                    return self.removal(cluster, self.key_of(obj))
        raise Refusal("NotFound", f'{kind.lower()}s "{name}" not found')

    def vacate(self, cluster: str, stopped: threading.Event) -> None:
        """Takes away all that this world put into a cluster that is deleted."""
        with refusing({"kind": "cluster"}):
            found = list(self._objects.marked(mark_of(self._mark, cluster)))
            for last in (False, True):
                group = [each for each in found if (each[1]["kind"] in LAST) is last]
                self._objects.clear(group, stopped)

    def cluster_scoped(self, obj: Mapping[str, Any]) -> bool:
        """As the API server's discovery says, where it serves the kind by now."""
        try:
            resource = self._objects.resource(obj)
        except (ApiRefused, Unreachable):
            resource = None
        return super().cluster_scoped(obj) if resource is None else not resource.namespaced

    def namespace_exists(self, cluster: str, name: str) -> bool:
        if super().namespace_exists(cluster, name):
            return True
        spaces = Resource("v1", "Namespace", "namespaces", False)
        with refusing({"kind": "Namespace"}):
            return self._api.get(spaces, None, name) is not None

    def _applied(
        self, call: Call, cluster: str, resource: Resource, wanted: Object, generation: int
    ) -> Result:
        force = readiness.annotation(wanted, "patchForce") == "true"
        made = self._api.apply(resource, wanted, MANAGER, force)
        with self._lock:
            changes = self._recorded(cluster, made, call.urn, generation)
        result = Result(self._id(made), changes=changes)
        try:
            with refusing(wanted):  # from here on it is there, whatever comes
                self._publish(resource, made, changes)
                made = self._objects.ready(resource, made, call)
        except Refusal as refused:
            refused.half = self._filled(result, call, made)
            raise
        return self._filled(result, call, made)

    def _filled(self, result: Result, call: Call, made: Object) -> Result:
        result.outputs = _outputs(made)
        result.secrets = spread(result.outputs, call.inputs, self.secrets(call))
        return result

    def _manifest(self, cluster: str, inputs: Mapping[str, Any], resource: Resource) -> Object:
        whole = live({k: copy.deepcopy(v) for k, v in inputs.items() if not k.startswith("__")})
        whole.pop("status", None)
        if whole["kind"] == CRD[1]:
            whole = spelled(whole)
        metadata = whole.setdefault("metadata", {})
        if resource.namespaced:
            metadata.setdefault("namespace", "default")
        else:
            metadata.pop("namespace", None)
        mark = mark_of(self._mark, cluster)
        metadata["labels"] = {**(metadata.get("labels") or {}), MARK: mark}
        return whole

    def _recorded(self, cluster: str, made: Object, urn: str, generation: int) -> list[Change]:
        """What the journal keeps: which object it was, and what it brings about in the cloud."""
        whole = {k: v for k, v in made.items() if k != "status"}
        whole["metadata"] = {k: v for k, v in made["metadata"].items() if k != "managedFields"}
        if is_secret(whole):
            whole = mask(whole, frozenset({("data",)}), self.cloud.key)
        return self.changes_of(cluster, self.key_of(whole), whole, urn, generation)

    def _publish(self, resource: Resource, made: Object, changes: list[Change]) -> None:
        """The simulated cloud's controller says where its load balancer is."""
        record = next((change[3] for change in changes if change[0] == "object"), None) or {}
        status = record.get("object", {}).get("status") or {}
        if made["kind"] == "Service" and "loadBalancer" in status and record["backs"]:
            namespace, name = made["metadata"]["namespace"], made["metadata"]["name"]
            made.update(self._api.merge(resource, namespace, name, {"status": status}, "status"))


def _outputs(found: Object) -> Object:
    """Who manages which field is of no use in a state, and long."""
    metadata = {k: v for k, v in found["metadata"].items() if k != "managedFields"}
    return {**found, "metadata": metadata}

"""What the Kubernetes provider does: typed objects, custom resources and Helm releases."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from colony.rehearsal import schema
from colony.rehearsal.apiserver import ApiServer
from colony.rehearsal.calls import Call, Config, Refusal, Result
from colony.rehearsal.objects import CRD, SECRET_PATHS, group_of, is_secret, live, said
from colony.rehearsal.package import Chart, Seconds
from colony.rehearsal.state import Change, object_key
from colony.rehearsal.templates import digest, lookup, render
from colony.rehearsal.wire import Secrets, mask, spread

__all__ = ["RELEASE", "Kubernetes"]

RELEASE = "kubernetes:helm.sh/v3:Release"


class Kubernetes(ApiServer):
    """The provider's operations on one world's clusters."""

    def outside(self, call: Call) -> bool:
        """Whether the call's object is not in the journal but in a real API server."""
        return False

    def check(self, call: Call) -> tuple[dict[str, Any], list[schema.Failure]]:
        """The inputs with a name and a namespace, as the real provider fills them in."""
        inputs = copy.deepcopy(call.inputs)
        if call.type == RELEASE:
            return self._check_release(call, inputs), []
        failures = [
            schema.Failure(key, "missing: this input is required")
            for key in ("apiVersion", "kind")
            if not inputs.get(key)
        ]
        if failures or call.type.endswith(("Patch", "List")):
            return inputs, failures or [schema.Failure("kind", f"{call.type} is not simulated")]
        metadata = inputs.setdefault("metadata", {})
        if isinstance(metadata, dict):
            self._name(call, metadata, lookup(call.olds, "metadata.name"))
            if not self.cluster_scoped(inputs):
                metadata.setdefault("namespace", self._default_namespace(call.config))
        return inputs, []

    def replaced_by(self, call: Call) -> list[str]:
        """Inputs that cannot change in place."""
        if call.type == RELEASE:
            return ["name", "namespace"]
        fixed = ["apiVersion", "kind", "metadata.name", "metadata.namespace"]
        return fixed + self.kind_of(call.inputs.get("kind", "")).replace

    def seconds(self, call: Call) -> Seconds:
        """How long its operations take."""
        if call.type == RELEASE:
            return self._chart(call.inputs or call.olds).seconds
        return self.kind_of((call.inputs or call.olds).get("kind", "")).seconds

    def secrets(self, call: Call) -> Secrets:
        """Paths that are secret: the caller's, and what a Secret holds."""
        return call.secrets | (SECRET_PATHS if is_secret(call.inputs) else frozenset())

    def create(self, call: Call) -> Result:
        """A new object; refused where the real API server would."""
        cluster = self.cluster(call.config)
        inputs = call.inputs
        if call.type == RELEASE:
            return self._install(call, cluster)
        key, namespace = self.key_of(inputs), self.namespace_of(inputs)
        self.refuse_unserved(cluster, inputs)
        if namespace and not self.namespace_exists(cluster, namespace):
            raise Refusal("NotFound", f'namespaces "{namespace}" not found')
        if key in self.records(cluster):
            raise Refusal("AlreadyExists", said(inputs, "already exists"))
        generation = self.world.generations.get(call.urn, 0) + 1
        return self._put(call, cluster, key, generation)

    def update(self, call: Call) -> Result:
        cluster = self.cluster(call.config)
        if call.type == RELEASE:
            return self._install(call, cluster)
        key = self.key_of(call.inputs)
        record = self.records(cluster).get(key)
        if record is None:
            raise Refusal("NotFound", said(call.inputs, "not found"))
        return self._put(call, cluster, key, record["generation"])

    def read(self, call: Call) -> dict[str, Any] | None:
        """The object, masked, or None where it is gone."""
        objects = self.records(self.cluster(call.config))
        record = objects.get(self._key_of(call))
        return record["object"] if record else None

    def delete(self, call: Call) -> Result:
        """What the object brought about goes with it; gone already is fine."""
        cluster = self.cluster(call.config)
        return Result(call.id, changes=self.removal(cluster, self._key_of(call)))

    def _put(self, call: Call, cluster: str, key: str, generation: int) -> Result:
        whole = {k: v for k, v in call.inputs.items() if not k.startswith("__")}
        uid = digest(self.cloud.seed, call.urn, generation)
        whole["metadata"] = {
            **whole["metadata"],
            "uid": f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}-{uid[16:20]}-{uid[20:32]}",
            "creationTimestamp": datetime.fromtimestamp(self.world.clock, timezone.utc).isoformat(),
        }
        for name, output in schema.outputs(call.type).items():
            if output.always and whole.get(name) is None:
                whole[name] = {} if output.empty is None else output.empty
        secrets = self.secrets(call)
        alive = live(whole)
        self.plain[cluster, key] = alive
        hidden = mask(alive, spread(alive, call.inputs, secrets), self.cloud.key)
        changes = self.changes_of(cluster, key, hidden, call.urn, generation)
        stored = next(change[3] for change in changes if change[2] == key)["object"]
        status = {"status": stored["status"]} if "status" in stored else {}
        outputs = {**whole, **alive, **status}
        repeated = spread(outputs, call.inputs, secrets)
        return Result(self._id(whole), outputs, changes, secrets=repeated)

    def _install(self, call: Call, cluster: str) -> Result:
        """A Helm release, with the CRDs and controllers that the data lists for its chart."""
        inputs, chart = call.inputs, self._chart(call.inputs)
        namespace, name = str(inputs["namespace"]), str(inputs["name"])
        key = object_key("helm.sh", "Release", namespace, name)
        old = self.records(cluster).get(key)
        if old and call.op == "create":
            raise Refusal("AlreadyExists", "cannot re-use a name that is still in use")
        changes = self._release_namespace(call, cluster, namespace)
        generation = old["generation"] if old else self.world.generations.get(call.urn, 0) + 1
        outputs = {**{k: v for k, v in inputs.items() if not k.startswith("__")}}
        outputs["status"] = _release_status(inputs)
        outputs["resourceNames"] = _resource_names(self._chart_objects(inputs, chart))
        stored = {
            "apiVersion": "helm.sh/v3", "kind": "Release",
            "metadata": {"name": name, "namespace": namespace},
            **mask(outputs, spread(outputs, inputs, call.secrets), self.cloud.key),
        }  # fmt: skip
        record: dict[str, Any] = {
            "object": stored,
            "urn": call.urn,
            "generation": generation,
            "backs": [],
        }
        changes.append(["object", cluster, key, record])
        changes += self._chart_changes(cluster, key, inputs, chart)
        return Result(f"{namespace}/{name}", outputs, changes, secrets=call.secrets)

    def _release_namespace(self, call: Call, cluster: str, namespace: str) -> list[Change]:
        if self.namespace_exists(cluster, namespace):
            return []
        if not call.inputs.get("createNamespace"):
            message = f'create: failed to create: namespaces "{namespace}" not found'
            raise Refusal("NotFound", message)
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        return self.changes_of(cluster, self.key_of(made), made, "", 1)

    def _chart_changes(
        self, cluster: str, owner: str, inputs: Mapping[str, Any], chart: Chart
    ) -> list[Change]:
        changes: list[Change] = []
        for obj in self._chart_objects(inputs, chart):
            key = self.key_of(obj)
            kept = chart.keeps_crds and obj["kind"] == CRD[1]
            record = {
                "object": obj, "urn": "", "generation": 1, "backs": [],
                "owner": None if kept else owner,
            }  # fmt: skip
            changes.append(["object", cluster, key, record])
        return changes

    def _chart_objects(self, inputs: Mapping[str, Any], chart: Chart) -> list[dict[str, Any]]:
        crds = [
            _crd(group, kind, scope)
            for group, kinds in chart.crds.items()
            for kind, scope in kinds.items()
        ]
        facts = {"release": inputs["name"], "namespace": inputs["namespace"]}
        return [*crds, *(render(obj, facts) for obj in chart.objects)]

    def _check_release(self, call: Call, inputs: dict[str, Any]) -> dict[str, Any]:
        inputs.setdefault("name", lookup(call.olds, "name") or self._autoname(call))
        inputs.setdefault("namespace", self._default_namespace(call.config))
        return inputs

    def _name(self, call: Call, metadata: dict[str, Any], old: Any) -> None:
        if not metadata.get("name"):
            metadata["name"] = old or self._autoname(call, metadata.get("generateName"))

    def _autoname(self, call: Call, prefix: str | None = None) -> str:
        generation = self.world.generations.get(call.urn, 0) + 1
        suffix = digest(self.cloud.seed, call.urn, "name", generation)[:8]
        return f"{prefix or call.name + '-'}{suffix}"

    def _default_namespace(self, config: Config) -> str:
        return str(config.values.get("namespace") or "default")

    def _chart(self, inputs: Mapping[str, Any]) -> Chart:
        name = str(inputs.get("chart", "")).rstrip("/").rsplit("/", 1)[-1]
        return self.package.charts.get(name) or self.package.charts["default"]

    def _key_of(self, call: Call) -> str:
        namespace, _, name = call.id.rpartition("/")
        if call.type == RELEASE:
            return object_key("helm.sh", "Release", namespace, name)
        obj = call.olds or call.inputs
        return object_key(group_of(obj), str(obj.get("kind")), namespace, name)

    def _id(self, obj: Mapping[str, Any]) -> str:
        namespace, name = self.namespace_of(obj), str(obj["metadata"]["name"])
        return f"{namespace}/{name}" if namespace else name


def _release_status(inputs: Mapping[str, Any]) -> dict[str, Any]:
    chart = str(inputs.get("chart", "")).rstrip("/").rsplit("/", 1)[-1]
    return {
        "name": inputs["name"], "namespace": inputs["namespace"], "chart": chart,
        "version": inputs.get("version", ""), "revision": 1, "status": "deployed",
    }  # fmt: skip


def _resource_names(objects: list[dict[str, Any]]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for obj in objects:
        names.setdefault(f"{obj['kind']}.{group_of(obj)}", []).append(obj["metadata"]["name"])
    return names


def _crd(group: str, kind: str, scope: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": CRD[1],
        "metadata": {"name": f"{kind.lower()}s.{group}"},
        "spec": {"group": group, "names": {"kind": kind}, "scope": scope},
    }  # fmt: skip

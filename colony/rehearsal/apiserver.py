"""The API server of every simulated cluster: its objects, and what they bring about in the cloud.

An object's record is {"object", "urn", "generation", "backs", "owner"}: `backs` are the keys of
cloud things that it brought about, `owner` the release that installed it. Methods return changes
and change nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from threading import Event
from typing import Any

from colony.rehearsal.calls import Config, Refusal
from colony.rehearsal.cloud import Cloud
from colony.rehearsal.objects import (
    CRD,
    SECRET_PATHS,
    defines,
    group_of,
    is_kind,
    is_secret,
    live,
    place_of,
)  # fmt: skip
from colony.rehearsal.package import Kind, Package
from colony.rehearsal.state import Change, Thing, as_change, object_key
from colony.rehearsal.templates import lookup, render
from colony.rehearsal.wire import mask, unmask

__all__ = ["ApiServer"]


class ApiServer:
    """Rules over one world's clusters."""

    def __init__(self, cloud: Cloud, package: Package) -> None:
        self.cloud, self.package = cloud, package
        self.world = cloud.world
        # Only the process has them; the journal has their digests.
        self.plain: dict[tuple[str, str], dict[str, Any]] = {}

    def removal(self, cluster: str, key: str) -> list[Change]:
        """The changes that take one object away: its cloud things, what it owns, what is in it."""
        objects = self.records(cluster)
        record = objects.get(key)
        if record is None:
            return []
        changes: list[Change] = [["object", cluster, key, None]]
        for thing in self._backs(record):
            changes += self.cloud.release(thing)
        for other in self._falls_with(objects, key, record):
            changes += self.removal(cluster, other)
        return _unique(changes)

    def put(self, cluster: str, obj: Mapping[str, Any], urn: str = "") -> list[Change]:
        """Changes that put an object there by its API, as `kubectl apply` does."""
        self.refuse_unserved(cluster, obj)
        whole = live(copy.deepcopy(dict(obj)))
        if not self.cluster_scoped(whole):
            whole.setdefault("metadata", {}).setdefault("namespace", "default")
        key = self.key_of(whole)
        self.plain[cluster, key] = whole
        secrets = SECRET_PATHS if is_secret(whole) else frozenset()
        hidden = mask(whole, secrets, self.cloud.key)
        return self.changes_of(cluster, key, hidden, urn, 1)

    def objects(
        self, cluster: str, kind: str, namespace: str | None = None
    ) -> list[dict[str, Any]]:
        """Objects of a kind (`Kind` or `Kind.group`), in one namespace or all, sorted.

        What is secret is a digest, unless this process has taken it in itself.
        """
        found = [
            unmask(record["object"], self.plain.get((cluster, key)), self.cloud.key)
            for key, record in self.records(self.known(cluster)).items()
            if is_kind(record["object"], kind)
            and namespace in (None, lookup(record["object"], "metadata.namespace"))
        ]
        return sorted(found, key=place_of)

    def discard(self, cluster: str, kind: str, namespace: str | None, name: str) -> list[Change]:
        """Changes of `kubectl delete`. What has finalizers stays, and only loses what it brought
        about in the cloud. Raises Refusal where there is no such object."""
        key = self.find_key(cluster, kind, namespace, name)
        record = self.records(cluster)[key]
        metadata = record["object"]["metadata"]
        if not metadata.get("finalizers"):
            return self.removal(cluster, key)
        if metadata.get("deletionTimestamp"):
            return []
        at = datetime.fromtimestamp(self.world.clock, timezone.utc).isoformat()
        changes = [change for thing in self._backs(record) for change in self.cloud.release(thing)]
        return [_with(cluster, key, record, {**metadata, "deletionTimestamp": at}), *changes]

    def free(self, cluster: str, kind: str, namespace: str | None, name: str) -> list[Change]:
        """Takes all finalizers off; what was to be deleted goes. Raises Refusal as above."""
        key = self.find_key(cluster, kind, namespace, name)
        record = self.records(cluster)[key]
        metadata = record["object"]["metadata"]
        if metadata.get("deletionTimestamp"):
            return self.removal(cluster, key)
        free = {name: value for name, value in metadata.items() if name != "finalizers"}
        return [_with(cluster, key, record, free)]

    def vacate(self, cluster: str, stopped: Event) -> None:
        """Before a cluster is deleted: its objects are in the journal, and go with it."""

    def find_key(self, cluster: str, kind: str, namespace: str | None, name: str) -> str:
        """The key of an object by kind and name. Raises Refusal where there is none."""
        for key, record in self.records(self.known(cluster)).items():
            metadata = record["object"]["metadata"]
            same = is_kind(record["object"], kind) and metadata["name"] == name
            if same and metadata.get("namespace") in (None, namespace or "default"):
                return key
        raise Refusal("NotFound", f'{kind.lower()}s "{name}" not found')

    def cluster(self, config: Config) -> str:
        """The cluster that a provider instance is configured for, by identifier or kubeconfig."""
        values = config.values
        identifier = values.get("clusterIdentifier")
        kubeconfig = str(values.get("kubeconfig") or "")
        if identifier in self._known():
            return str(identifier)
        for known, endpoint in self._known().items():
            if not identifier and endpoint and endpoint in kubeconfig:
                return known
        server = kubeconfig.partition("server")[2].strip('": ').split('"')[0].split("\n")[0]
        raise self._refusal("unreachable", {"server": server or "https://localhost:8080"})

    def known(self, cluster: str) -> str:
        """The same name. Raises Refusal where no such cluster exists."""
        if cluster not in self._known():
            raise self._refusal("unreachable", {"server": cluster})
        return cluster

    def _known(self) -> dict[str, str]:
        made = {
            thing.cluster: str(thing.outputs.get("endpoint", ""))
            for thing in self.world.things.values()
            if thing.cluster
        }
        return made | {name: str(c.get("endpoint", "")) for name, c in self.world.clusters.items()}

    def records(self, cluster: str) -> dict[str, dict[str, Any]]:
        return self.world.objects.get(cluster, {})

    def changes_of(
        self, cluster: str, key: str, whole: dict[str, Any], urn: str, generation: int
    ) -> list[Change]:
        """The object, and the cloud things that it needs or needs no longer."""
        old = self.records(cluster).get(key, {})
        kind = self.kind_of(str(whole.get("kind", "")))
        made = self._backing(cluster, key, kind, whole)
        context = {"made": {"id": made[0].id, "outputs": made[0].outputs} if made else None}
        status = _status(kind, made, context, old.get("object", {}).get("status"))
        record = {
            "object": {**whole, **({"status": status} if status else {})},
            "urn": urn, "generation": generation, "backs": [thing.key for thing in made[:1]],
            "owner": old.get("owner"),
        }  # fmt: skip
        changes = [as_change(thing) for thing in made if thing.key not in self.world.things]
        for thing in self._backs(old):
            changes += [] if made else self.cloud.release(thing)
        return [["object", cluster, key, record], *changes]

    def _backing(self, cluster: str, key: str, kind: Kind, whole: Mapping[str, Any]) -> list[Thing]:
        backing = kind.backing
        owner = next((t for t in self.world.things.values() if t.cluster == cluster), None)
        if backing is None or owner is None or not _matches(whole, backing.when):
            return []
        made = self.cloud.packages[owner.package].cloud_backed.get(backing.thing)
        return self.cloud.back(owner, made, key, whole) if made else []

    def _backs(self, record: Mapping[str, Any]) -> Iterator[Thing]:
        keys = record.get("backs", [])
        return (self.world.things[key] for key in keys if key in self.world.things)

    def _falls_with(
        self, objects: Mapping[str, Mapping[str, Any]], key: str, record: Mapping[str, Any]
    ) -> list[str]:
        obj = record["object"]
        name = obj["metadata"]["name"]
        found = [other for other, item in objects.items() if item.get("owner") == key]
        if obj["kind"] == "Namespace":
            inside = "object.metadata.namespace"
            found += [other for other, item in objects.items() if lookup(item, inside) == name]
        if obj["kind"] == CRD[1]:
            found += [k for k, o in objects.items() if defines(o["object"], obj)]
        return [other for other in found if other != key]

    def refuse_unserved(self, cluster: str, obj: Mapping[str, Any]) -> None:
        group = group_of(obj)
        if group in self.package.groups:
            return
        served = [record["object"] for record in self.records(cluster).values()]
        if any(crd["kind"] == CRD[1] and defines(obj, crd) for crd in served):
            return
        kind, version = obj.get("kind"), obj.get("apiVersion")
        raise Refusal("NoMatch", f'no matches for kind "{kind}" in version "{version}"')

    def namespace_exists(self, cluster: str, name: str) -> bool:
        key = object_key("", "Namespace", "", name)
        return name in self.package.namespaces or key in self.records(cluster)

    def cluster_scoped(self, obj: Mapping[str, Any]) -> bool:
        kind = str(obj.get("kind", ""))
        for chart in self.package.charts.values():
            if scope := chart.crds.get(group_of(obj), {}).get(kind):
                return scope == "Cluster"
        return self.kind_of(kind).cluster_scoped

    def kind_of(self, kind: str) -> Kind:
        return self.package.kinds.get(kind) or self.package.kinds["default"]

    def namespace_of(self, obj: Mapping[str, Any]) -> str:
        return "" if self.cluster_scoped(obj) else str(obj["metadata"].get("namespace", ""))

    def key_of(self, obj: Mapping[str, Any]) -> str:
        name = str(obj["metadata"]["name"])
        return object_key(group_of(obj), str(obj["kind"]), self.namespace_of(obj), name)

    def _refusal(self, name: str, facts: Mapping[str, Any]) -> Refusal:
        text = self.package.errors[name]
        message = str(render(text.message, {**facts, "code": text.code}))
        return Refusal(text.code, message, text.seconds)


def _with(cluster: str, key: str, record: Mapping[str, Any], metadata: Mapping[str, Any]) -> Change:
    return [
        "object",
        cluster,
        key,
        {**record, "object": {**record["object"], "metadata": metadata}},
    ]


def _matches(obj: Mapping[str, Any], when: Mapping[str, Any]) -> bool:
    return all(lookup(obj, path) == value for path, value in when.items())


def _status(kind: Kind, made: list[Thing], context: Mapping[str, Any], old: Any) -> Any:
    if made and kind.backing:
        return render(kind.backing.status, context)
    return old or copy.deepcopy(kind.status)


def _unique(changes: list[Change]) -> list[Change]:
    return [change for index, change in enumerate(changes) if change not in changes[:index]]

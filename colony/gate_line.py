"""The line of those that wait for a cluster, kept in the cluster itself: one ConfigMap each.

Kubernetes gives the time and the UID that say who came first. A waiter that was killed is out
when its `until` has passed.
"""

from __future__ import annotations

from colony.kubeapi import KubeApi, Resource
from jobs.errors import ColonyError
from jobs.gate.line import Waiter

__all__ = ["ClusterLine"]

LABEL = "colony.dev/waiting"
NAMESPACE = "default"
MANAGER = "colony-gate"


class ClusterLine:
    """`colony.gate.Line` of one job. Methods raise ColonyError."""

    def __init__(self, api: KubeApi, cluster: str, colony: str, job: str) -> None:
        self._api, self._cluster = api, cluster
        self._name = f"colony-waiting-{colony}-{job}"
        self._label = f"{colony}/{job}"

    def join(self, wants: str, until: float) -> Waiter:
        metadata = {"name": self._name, "namespace": NAMESPACE, "labels": {LABEL: "true"}}
        made = self._api.apply(
            self._kind(),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata,
                "data": {"job": self._label, "wants": wants, "until": str(int(until))},
            },
            MANAGER,
            force=True,
        )
        return self._waiter(made)

    def others(self, now: float) -> list[Waiter]:
        found = self._api.listed(self._kind(), NAMESPACE, f"{LABEL}=true")
        alive = [each for each in found if float((each.get("data") or {}).get("until", 0)) > now]
        return [self._waiter(each) for each in alive]

    def leave(self) -> None:
        self._api.delete(self._kind(), NAMESPACE, self._name)

    def _kind(self) -> Resource:
        found = self._api.resource("v1", "ConfigMap")
        if found is None:
            raise ColonyError("the cluster has no ConfigMaps")
        return found

    def _waiter(self, thing: dict[str, object]) -> Waiter:
        metadata, data = thing["metadata"], thing.get("data") or {}
        assert isinstance(metadata, dict) and isinstance(data, dict)
        return Waiter(
            name=str(data.get("job", metadata["name"])),
            created=str(metadata.get("creationTimestamp", "")),
            uid=str(metadata.get("uid", "")),
            cluster=self._cluster,
            wants=str(data.get("wants", "")),
        )

"""A ConfigMap in which a part of the agent keeps its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from colony.agent.client import ApiError, Client

__all__ = ["OwnMap"]

Object = dict[str, Any]


@dataclass(frozen=True)
class OwnMap:
    """Read and replaced by version, so that two that write see each other."""

    client: Client
    namespace: str
    name: str
    owner: str = ""
    """The ConfigMap that it goes with; empty = with its namespace."""

    def read(self) -> Object | None:
        """As it is; None before the first write."""
        return self.client.get(f"{self._all}/{self.name}")

    def write(
        self, live: Object | None, data: dict[str, str], notes: dict[str, str] | None = None
    ) -> bool:
        """`live` is what was read. False where somebody was faster: the next look sees what he
        wrote. `notes` are annotations, beside those that are there."""
        if live is None:
            return self.client.create(self._all, self._first(data, notes or {}))
        body = {**live, "data": data}
        if notes:
            known = live["metadata"].get("annotations") or {}
            body["metadata"] = {**live["metadata"], "annotations": {**known, **notes}}
        try:
            self.client.replace(f"{self._all}/{self.name}", body)
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise
        return True

    @property
    def _all(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    def _first(self, data: dict[str, str], notes: dict[str, str]) -> Object:
        metadata: Object = {"name": self.name, "namespace": self.namespace}
        if self.owner:
            metadata["ownerReferences"] = self._owners()
        if notes:
            metadata["annotations"] = notes
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def _owners(self) -> list[Object]:
        """So that a destroy leaves nothing."""
        owner = self.client.get(f"{self._all}/{self.owner}")
        if owner is None:
            return []
        reference = {"name": self.owner, "uid": owner["metadata"]["uid"]}
        return [{"apiVersion": "v1", "kind": "ConfigMap", **reference}]

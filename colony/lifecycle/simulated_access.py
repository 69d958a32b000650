"""The Kubernetes API of a world's clusters, as watching and draining need it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.lifecycle.kinds import carries, named
from colony.lifecycle.kube import Kube
from colony.rehearsal.jobs import JOB_LABEL
from colony.rehearsal.link import Refused
from colony.rehearsal.templates import digest
from jobs.errors import ColonyError

if TYPE_CHECKING:
    from colony.rehearsal.world import World

__all__ = ["RealAccess", "WorldAccess"]


class WorldAccess:
    """The Kubernetes API of a simulated cluster."""

    def __init__(self, world: World, cluster: str) -> None:
        self._world = world
        self._cluster = cluster

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return self._world.objects(self._cluster, kind, namespace)

    def removable(self, kind: str) -> list[dict[str, Any]]:
        return self.objects(kind)

    def put(self, obj: dict[str, Any]) -> None:
        self._world.put_object(self._cluster, obj)

    def annotate(self, kind: str, namespace: str, name: str, marks: Mapping[str, str]) -> None:
        for each in self.objects(kind, namespace):
            if each["metadata"]["name"] == name:
                annotations = {**(each["metadata"].get("annotations") or {}), **marks}
                self.put({**each, "metadata": {**each["metadata"], "annotations": annotations}})

    def delete(self, kind: str, namespace: str, name: str) -> None:
        self._world.delete_object(self._cluster, kind, namespace, name)

    def free(self, kind: str, namespace: str, name: str) -> None:
        self._world.free_object(self._cluster, kind, namespace, name)

    def evict(self, namespace: str, name: str) -> None:
        self.delete("Pod", namespace, name)

    def restart(self, manifest: dict[str, Any]) -> None:
        """Its pods go with it."""
        metadata = manifest["metadata"]
        kind, namespace, name = named(manifest), metadata["namespace"], metadata["name"]
        old = next(
            (each for each in self.objects(kind, namespace) if each["metadata"]["name"] == name),
            None,
        )
        if old is None:
            raise ColonyError(f"{kind} {namespace}/{name} is gone: it cannot be started again")
        for pod in self.objects("Pod", namespace):
            if carries(pod, str((old["metadata"].get("labels") or {}).get(JOB_LABEL, name))):
                self.delete("Pod", namespace, pod["metadata"]["name"])
        self.delete(kind, namespace, name)
        uid = digest(old["metadata"].get("uid"), "again")
        fresh = {**metadata, "uid": f"{uid[:8]}-{uid[8:12]}-{uid[12:16]}"}
        self._world.put_object(self._cluster, {**manifest, "metadata": fresh})

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        source = Path(self._world.dir, "logs", job)
        if not source.is_dir():
            return []
        shutil.copytree(source, folder, dirs_exist_ok=True)
        return sorted(folder.glob("*.log"))


class RealAccess:
    """The real API behind a simulated cluster; deletes go through the world, whose cloud takes
    away what the object had brought about there."""

    def __init__(self, world: World, cluster: str, kube: Kube) -> None:
        self._world, self._cluster, self._kube = world, cluster, kube

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        return self._kube.objects(kind, namespace)

    def removable(self, kind: str) -> list[dict[str, Any]]:
        return self._kube.removable(kind)

    def put(self, obj: dict[str, Any]) -> None:
        self._world.put_object(self._cluster, obj)

    def annotate(self, kind: str, namespace: str, name: str, marks: Mapping[str, str]) -> None:
        self._kube.annotate(kind, namespace, name, marks)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        try:
            self._world.delete_object(self._cluster, kind, namespace, name)
        except Refused as refused:
            if refused.code != "NotFound":  # its controller was faster
                raise

    def free(self, kind: str, namespace: str, name: str) -> None:
        self._kube.free(kind, namespace, name)

    def evict(self, namespace: str, name: str) -> None:
        self._kube.evict(namespace, name)

    def restart(self, manifest: dict[str, Any]) -> None:
        self._kube.restart(manifest)

    def keep_logs(self, job: str, folder: Path, namespace: str | None = None) -> list[Path]:
        return self._kube.keep_logs(job, folder, namespace)

"""The volumes of a pod: what Colony needs in it, and the user's own."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.backends.marks import Manifest, scripts_name
from jobs.context import JobContext
from jobs.elastic import ELASTIC_MOUNT, live_name
from jobs.entrypoint import CODE_MOUNT, SCRIPTS_MOUNT
from jobs.environment import COLONY_HOME
from jobs.member import Member
from jobs.role import Volume
from jobs.spec import Job

__all__ = ["Mount", "mounts_of"]


@dataclass(frozen=True)
class Mount:
    """One volume at one place."""

    name: str
    path: str
    source: Manifest = field(default_factory=dict)
    read_only: bool = False

    def volume(self) -> Manifest:
        """In the pod."""
        return {"name": self.name, **self.source}

    def mount(self) -> Manifest:
        """In the container."""
        mount: Manifest = {"name": self.name, "mountPath": self.path}
        return {**mount, "readOnly": True} if self.read_only else mount


def mounts_of(job: Job, role: Member, context: JobContext) -> list[Mount]:
    """Of every pod of a role. A volume of the user's takes the place of ours at the same path."""
    scripts = {"configMap": {"name": scripts_name(job)}}
    mounts = [
        Mount("colony", COLONY_HOME, {"emptyDir": {}}),
        Mount("shm", "/dev/shm", _memory(job.shared_memory)),
        Mount("scripts", SCRIPTS_MOUNT, scripts, read_only=True),
    ]
    if context.code_secret:
        code = {"secret": {"secretName": context.code_secret}}
        mounts.append(Mount("code", CODE_MOUNT, code, read_only=True))
    if role.launcher and job.elastic:
        # The agent's: it is mounted once that has made it, and follows what it writes.
        live = {"configMap": {"name": live_name(job), "defaultMode": 0o555}}
        mounts.append(Mount("elastic", ELASTIC_MOUNT, live, read_only=True))
    given = [_given(number, volume) for number, volume in enumerate(job.volumes)]
    taken = {mount.path for mount in given}
    return [*(mount for mount in mounts if mount.path not in taken), *given]


def _given(number: int, volume: Volume) -> Mount:
    return Mount(f"volume-{number}", volume.path, _source(volume), volume.read_only)


def _source(volume: Volume) -> Manifest:
    if volume.claim:
        return {"persistentVolumeClaim": {"claimName": volume.claim}}
    if volume.config_map:
        return {"configMap": {"name": volume.config_map}}
    if volume.secret:
        return {"secret": {"secretName": volume.secret}}
    if volume.host_path:
        return {"hostPath": {"path": volume.host_path}}
    return _memory(volume.memory)


def _memory(gib: str | None) -> Manifest:
    limit = {"sizeLimit": f"{gib.rstrip('+')}Gi"} if gib else {}
    return {"emptyDir": {"medium": "Memory", **limit}}

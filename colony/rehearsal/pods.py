"""The pods of a job as local processes: folders, files, commands and environments.

A process gets what its pod would get, and nothing of the user's own environment. What a machine
has only once is translated: mount paths, host names (an address for each pod), one free port for
each world.
"""

from __future__ import annotations

import os
import re
import secrets as tokens
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colony.rehearsal.addresses import Directory
from colony.rehearsal.expand import Manifest, Plan, PlannedPod
from colony.rehearsal.podtext import Moves, expanded, values_of
from jobs.entrypoint import CODE_FILE, CODE_MOUNT
from jobs.errors import InputError, NotSupported, Problem

__all__ = ["LocalPod", "Sandbox", "Step"]

SHIMS = Path(__file__).parent / "shims"
ALWAYS = {
    "aws": "cloud-copy", "gcloud": "cloud-copy", "azcopy": "cloud-copy", "ssh": "ssh", "sshd": "ssh"
}  # fmt: skip
"""What every pod finds first on its PATH -> the stand-in of that name."""
WHERE_MISSING = {"ray": "hub", "dask": "hub"}
"""The same for what the machine does not have."""
SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
ITSELF = re.compile(r"(?<![\d.])127\.0\.0\.1(?![\d.])")
ADDRESS_ALONE = re.compile(r"127(\.\d+){3}:")


@dataclass(frozen=True)
class Step:
    """One container's process."""

    command: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class LocalPod:
    """One pod, ready to be started in `cwd`: its init containers one by one, then the main one."""

    name: str
    role: str
    steps: list[Step]
    cwd: Path
    termination_log: Path


class Sandbox:
    """Lays out the pods of one job under a folder.

    `archive` is the packed code, `secrets` the environment that comes from the job's Secret.
    """

    def __init__(
        self,
        plan: Plan,
        manifests: Sequence[Manifest],
        directory: Directory,
        folder: Path,
        buckets: Path,
        archive: bytes | None,
        secrets: Mapping[str, str],
    ) -> None:
        self._config_maps = {
            each["metadata"]["name"]: each.get("data") or {}
            for each in manifests
            if each["kind"] == "ConfigMap"
        } | plan.config_maps
        self._directory = directory
        self._folder = folder
        self._buckets = buckets
        self._archive = archive
        self._secrets = dict(secrets)
        self._token = tokens.token_hex(16)
        for pod in plan.pods:
            self._world_port(values_of(pod, pod.container), pod)

    def clear(self) -> None:
        """What an earlier attempt left is removed."""
        shutil.rmtree(self._folder, ignore_errors=True)
        tools = self._folder / "bin"
        tools.mkdir(parents=True)
        path = os.pathsep.join([str(Path(sys.executable).parent), *SYSTEM_PATH])
        missing = {k: v for k, v in WHERE_MISSING.items() if not shutil.which(k, path=path)}
        for name, shim in {**ALWAYS, **missing}.items():
            shutil.copy(SHIMS / shim, tools / name)
            (tools / name).chmod(0o755)
        (self._folder / "python").mkdir()
        shutil.copy(SHIMS / "sitecustomize.py", self._folder / "python")

    def pod(self, pod: PlannedPod) -> LocalPod:
        """A fresh layout of one pod. Raises InputError where only its image knows the command."""
        home = self._folder / (pod.inside or pod.key)
        moves = Moves(self._paths(home, pod))
        if not pod.inside:
            shutil.rmtree(home, ignore_errors=True)
            (home / "image").mkdir(parents=True)
            self._fill(home, pod, moves)
        base = self._base_env(home)
        containers = [
            *(
                c
                for c in pod.spec.get("initContainers") or []
                if c.get("restartPolicy") != "Always"
            ),
            pod.container,
        ]
        return LocalPod(
            name=pod.key,
            role=pod.role,
            steps=[self._step(pod, container, base, moves) for container in containers],
            cwd=home / "image",
            termination_log=home / "termination-log",
        )

    def address(self, pod: PlannedPod) -> str:
        """Where a pod's ports are."""
        return self._directory.own(pod)

    def _step(
        self, pod: PlannedPod, container: Manifest, base: dict[str, str], moves: Moves
    ) -> Step:
        words = [*(container.get("command") or []), *(container.get("args") or [])]
        if not container.get("command"):
            hint = "rehearse without --exec, or give the container a command"
            raise InputError(Problem(pod.key, "only its image knows what it would run", hint))
        values = values_of(pod, container)
        words = [expanded(word, values) for word in words]
        own = self._directory.own(pod)
        local = {name: self._local(value, moves) for name, value in values.items()}
        env = {
            **base,
            "COLONY_POD_ADDRESS": own,
            **(self._secrets if container.get("envFrom") else {}),
            **{name: ITSELF.sub(own, value) for name, value in local.items()},
        }
        words = [self._local(word, moves) for word in words]
        # A name that only has to resolve is there: it has an address.
        words = [word for word in words if not ADDRESS_ALONE.fullmatch(word)]
        return Step(words, {**env, **self._world(pod, values)})

    def _world(self, pod: PlannedPod, values: dict[str, str]) -> dict[str, str]:
        """What the entry point cannot find out here: there is no DNS."""
        found = {"COLONY_HOST": self._directory.own(pod)} if "COLONY_HOST" in values else {}
        if "COLONY_PODS" in values:
            domain = values.get("COLONY_SUBDOMAIN", "")
            hosts = self._directory.hosts_of(values["COLONY_PODS"], domain)
            found["COLONY_NODE_IPS"] = " ".join(hosts)
        port = self._world_port(values, pod)
        return found | ({"MASTER_PORT": port, "PET_MASTER_PORT": port} if port else {})

    def _world_port(self, values: Mapping[str, str], pod: PlannedPod) -> str:
        if not values.get("MASTER_ADDR") or not values.get("MASTER_PORT"):
            return ""
        return self._directory.world_port(values["MASTER_ADDR"], values["MASTER_PORT"], pod)

    def _local(self, text: str, moves: Moves) -> str:
        return moves.moved(self._directory.localized(text))

    def _paths(self, home: Path, pod: PlannedPod) -> dict[str, str]:
        """Path in the pod -> path here; /dev/shm and other RAM disks are the machine's own."""
        containers = [*(pod.spec.get("initContainers") or []), pod.container]
        memory = {
            volume["name"]
            for volume in pod.spec.get("volumes") or []
            if (volume.get("emptyDir") or {}).get("medium") == "Memory"
        }
        mounts = [
            mount["mountPath"]
            for container in containers
            for mount in container.get("volumeMounts") or []
            if mount["name"] not in memory
        ]
        return {
            path: str(home / path.lstrip("/")) for path in [*mounts, *pod.files, *self._listed(pod)]
        }

    def _listed(self, pod: PlannedPod) -> list[str]:
        """What the entry point will write where its framework, or the user, looks for it."""
        return [
            line.partition("\t")[2]
            for name in _config_map_names(pod)
            for line in self._config_maps.get(name, {})
            .get(f"{pod.role}.files.tsv", "")
            .splitlines()
        ] + [
            path
            for name in _config_map_names(pod)
            for path in _column(self._config_maps.get(name, {}).get("inputs.tsv", ""))
            if path.startswith("/")
        ]

    def _fill(self, home: Path, pod: PlannedPod, moves: Moves) -> None:
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes") or []}
        for container in [*(pod.spec.get("initContainers") or []), pod.container]:
            for mount in container.get("volumeMounts") or []:
                local = Path(moves.moved(mount["mountPath"]))
                if local.is_relative_to(home):
                    self._fill_volume(local, volumes[mount["name"]], moves)
        for path, text in pod.files.items():
            local = Path(moves.moved(path))
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_text(self._local(text, moves), encoding="utf-8")

    def _fill_volume(self, local: Path, volume: Manifest, moves: Moves) -> None:
        if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            shared = self._folder.parent / "claims" / claim
            shared.mkdir(parents=True, exist_ok=True)
            local.parent.mkdir(parents=True, exist_ok=True)
            if not local.exists():
                local.symlink_to(shared)
            return
        local.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            for name, text in self._config_map(volume["configMap"]).items():
                (local / name).write_text(self._local(text, moves), encoding="utf-8")
        elif "secret" in volume and local.as_posix().endswith(CODE_MOUNT) and self._archive:
            (local / CODE_FILE).write_bytes(self._archive)

    def _config_map(self, source: Manifest) -> dict[str, str]:
        name = source["name"]
        if name not in self._config_maps and not source.get("optional"):
            raise NotSupported(
                Problem("volumes", f"the ConfigMap {name!r} is not of the job's own")
            )
        return self._config_maps.get(name, {})

    def _base_env(self, home: Path) -> dict[str, str]:
        """pip installs into the sandbox, never into the environment that runs Colony."""
        packages = home / "packages"
        tools = self._folder / "bin"
        path = [tools, packages / "bin", Path(sys.executable).parent, *SYSTEM_PATH]
        for folder in ("home", "tmp"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.pathsep.join(str(entry) for entry in path),
            "HOME": str(home / "home"),
            "TMPDIR": str(home / "tmp"),
            "LANG": "C.UTF-8",
            "PIP_TARGET": str(packages),
            "PYTHONPATH": os.pathsep.join(map(str, (packages, self._folder / "python"))),
            "COLONY_BUCKETS": str(self._buckets),
            "COLONY_FILE_ROOT": str(self._buckets / "file"),
            "COLONY_TERMINATION_LOG": str(home / "termination-log"),
            "COLONY_REHEARSAL_TOKEN": self._token,
        }


def _column(table: str) -> list[str]:
    """The first of each line."""
    return [line.partition("\t")[0] for line in table.splitlines()]


def _config_map_names(pod: PlannedPod) -> list[str]:
    volumes = pod.spec.get("volumes") or []
    return [volume["configMap"]["name"] for volume in volumes if "configMap" in volume]

"""The pods of a rendered JobSet as local processes: folders, files, commands and environments.

A process gets what its pod would get, and nothing of the user's own environment. What a machine
has only once is translated: mount paths, host names (127.0.0.1), one free port for each world.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.entrypoint import CODE_FILE

__all__ = ["LocalPod", "Sandbox", "deadline_seconds", "find_jobset", "max_restarts", "pod_count"]

LOOPBACK = "127.0.0.1"
SHIMS = Path(__file__).parent / "shims"
CLOUD_TOOLS = ("aws", "gcloud", "azcopy")
SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class LocalPod:
    """One pod, ready to be started in `cwd`. `name` is `<role>-<index>`."""

    name: str
    command: list[str]
    env: dict[str, str]
    cwd: Path
    termination_log: Path


class Sandbox:
    """Lays out every pod of one job under a folder."""

    def __init__(
        self,
        manifests: Sequence[Manifest],
        folder: Path,
        buckets: Path,
        archive: bytes | None,
        secrets: Mapping[str, str],
    ) -> None:
        self._jobset = find_jobset(manifests)
        self._config_maps = {
            each["metadata"]["name"]: each["data"]
            for each in manifests
            if each["kind"] == "ConfigMap"
        }
        self._folder = folder
        self._buckets = buckets
        self._archive = archive
        self._secrets = dict(secrets)
        self._hosts = _host_names(self._jobset)
        self._ports: dict[str, int] = {}

    def pods(self) -> list[LocalPod]:
        """A fresh layout: what an earlier attempt left is removed."""
        shutil.rmtree(self._folder, ignore_errors=True)
        tools = self._cloud_tools()
        return [
            self._pod(role["name"], index, _template(role), tools)
            for role in self._jobset["spec"]["replicatedJobs"]
            for index in range(_size(role))
        ]

    def _pod(self, role: str, index: int, template: Manifest, tools: Path) -> LocalPod:
        home = self._folder / f"{role}-{index}"
        container = template["containers"][0]
        mounts = self._mounts(home, container, template)
        env = self._base_env(home, tools)
        if container.get("envFrom"):
            env |= self._secrets
        env |= self._contract(container, index, mounts)
        (home / "image").mkdir(parents=True, exist_ok=True)
        return LocalPod(
            name=f"{role}-{index}",
            command=[_moved(word, mounts) for word in container["command"]],
            env=env,
            cwd=home / "image",
            termination_log=home / "termination-log",
        )

    def _mounts(self, home: Path, container: Manifest, template: Manifest) -> dict[str, str]:
        """Mount path -> local folder, filled; /dev/shm is the machine's own."""
        volumes = {volume["name"]: volume for volume in template["volumes"]}
        mounts: dict[str, str] = {}
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if volume.get("emptyDir", {}).get("medium") == "Memory":
                continue
            local = home / mount["mountPath"].lstrip("/")
            local.mkdir(parents=True, exist_ok=True)
            self._fill(local, volume)
            mounts[mount["mountPath"]] = str(local)
        return mounts

    def _fill(self, local: Path, volume: Manifest) -> None:
        if "configMap" in volume:
            for name, text in self._config_maps[volume["configMap"]["name"]].items():
                (local / name).write_text(text, encoding="utf-8")
        elif "secret" in volume and self._archive is not None:
            (local / CODE_FILE).write_bytes(self._archive)

    def _base_env(self, home: Path, tools: Path) -> dict[str, str]:
        """pip installs into the sandbox, never into the environment that runs Colony."""
        packages = home / "packages"
        path = [tools, packages / "bin", Path(sys.executable).parent, *SYSTEM_PATH]
        for folder in ("home", "tmp"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.pathsep.join(str(entry) for entry in path),
            "HOME": str(home / "home"),
            "TMPDIR": str(home / "tmp"),
            "LANG": "C.UTF-8",
            "PIP_TARGET": str(packages),
            "PYTHONPATH": str(packages),
            "COLONY_BUCKETS": str(self._buckets),
            "COLONY_FILE_ROOT": str(self._buckets / "file"),
            "COLONY_TERMINATION_LOG": str(home / "termination-log"),
        }

    def _contract(self, container: Manifest, index: int, mounts: dict[str, str]) -> dict[str, str]:
        env = _values(container["env"], index)
        port = self._port(env["MASTER_ADDR"])
        local = {
            name: LOOPBACK if value in self._hosts else _moved(value, mounts)
            for name, value in env.items()
        }
        nodes = sum(int(pods.rpartition(":")[2]) for pods in env["COLONY_PODS"].split())
        return {
            **local,
            "MASTER_PORT": port,
            "PET_MASTER_PORT": port,
            "COLONY_NODE_IPS": " ".join([LOOPBACK] * nodes),
        }

    def _port(self, master: str) -> str:
        """One port a world: worlds that share this machine must not meet."""
        if master not in self._ports:
            self._ports[master] = _free_port(taken=set(self._ports.values()))
        return str(self._ports[master])

    def _cloud_tools(self) -> Path:
        folder = self._folder / "bin"
        folder.mkdir(parents=True)
        for name in CLOUD_TOOLS:
            shutil.copy(SHIMS / "cloud-copy", folder / name)
            (folder / name).chmod(0o755)
        return folder


def find_jobset(manifests: Sequence[Manifest]) -> Manifest:
    """The one JobSet among the manifests of a job."""
    return next(each for each in manifests if each["kind"] == "JobSet")


def pod_count(jobset: Manifest) -> int:
    """Pods of all roles."""
    return sum(_size(role) for role in jobset["spec"]["replicatedJobs"])


def deadline_seconds(jobset: Manifest) -> float:
    """The shortest bound of any role."""
    roles = jobset["spec"]["replicatedJobs"]
    return float(min(role["template"]["spec"]["activeDeadlineSeconds"] for role in roles))


def max_restarts(jobset: Manifest) -> int:
    """How often the whole gang is started again after a failure."""
    return int(jobset["spec"].get("failurePolicy", {}).get("maxRestarts", 0))


def _size(role: Manifest) -> int:
    return int(role["replicas"]) * int(role["template"]["spec"]["parallelism"])


def _template(role: Manifest) -> Manifest:
    template: Manifest = role["template"]["spec"]["template"]["spec"]
    return template


def _host_names(jobset: Manifest) -> set[str]:
    name, domain = jobset["metadata"]["name"], jobset["spec"]["network"]["subdomain"]
    return {
        f"{name}-{role['name']}-0-{index}.{domain}"
        for role in jobset["spec"]["replicatedJobs"]
        for index in range(_size(role))
    }


def _values(entries: Sequence[Manifest], index: int) -> dict[str, str]:
    """Expanded as the kubelet does it: `$(NAME)` of an earlier entry, `$$` for one `$`."""
    values: dict[str, str] = {}
    for entry in entries:
        if "valueFrom" in entry:
            values[entry["name"]] = str(index)
            continue
        values[entry["name"]] = REFERENCE.sub(
            lambda match: "$" if match[1] is None else values.get(match[1], match[0]),
            entry["value"],
        )
    return values


def _moved(text: str, mounts: Mapping[str, str]) -> str:
    for path, local in mounts.items():
        if text == path or text.startswith(f"{path}/"):
            return local + text[len(path) :]
    return text


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port

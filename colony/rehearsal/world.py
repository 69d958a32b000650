"""A simulated world: a folder, and the server process that serves it.

`World` is all that the rest of Colony knows of a rehearsal. The world outlives whoever opened it;
what it knows is in its folder, and the next call starts its server again. Importing this module
is light.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from colony.rehearsal.ledger import LEDGER, append_lines, left
from colony.rehearsal.link import Link, Refused
from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.state import EPOCH
from jobs.errors import InputError

__all__ = ["EPOCH", "Refused", "World", "left"]

VERSION = 1
FOLDERS = ("state", "project", "pulumi-home", "home", "logs", "buckets", "tmp")


class World:
    """The world in a folder. Every method that asks starts the server where none runs."""

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        self._settings: dict[str, Any] = json.loads((folder / "world.json").read_text())
        self._link = Link(folder)

    @classmethod
    def create(
        cls,
        dir: Path | str,
        seed: int = 0,
        faults: Path | str | Mapping[str, Any] | list[Any] | None = None,
        *,
        real_time: float | None = None,
        checkpoints: bool | None = None,
        idle_seconds: float = 120,
        catalog: Path | None = None,
        kubernetes: RealCluster | None = None,
        hosts: bool = False,
        captures: bool = False,
    ) -> World:
        """Makes a new world.

        `faults`: a file, its content, or a list of faults or of `KEY=VALUE,...` texts.
        `real_time`: each operation really takes this share of its seconds.
        `checkpoints`: the engine writes its state at every step; default: where a fault kills.
        `catalog`: a folder with the prices of this world's market; default: the starter catalogue.
        `kubernetes`: a real API server for the objects of every cluster of this world.
        `hosts`: commands really run on the hosts that the colony names.
        `captures`: keeps what a crash would leave, before and after every operation.
        Raises InputError for bad faults, or a folder that holds a world.
        """
        folder = Path(dir).absolute()
        if (folder / "world.json").exists():
            raise InputError(f"{folder} holds a world already: open it, or name another folder")
        checked = _faults(faults)
        for name in ("", *FOLDERS):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy_project(folder / "project")
        _write_private(folder / "passphrase", secrets.token_urlsafe(32))
        (folder / "faults.json").write_text(checked.model_dump_json(exclude_defaults=True))
        in_turn = checked.kills or captures
        settings = {
            "version": VERSION, "seed": seed, "real_time": real_time, "idle_seconds": idle_seconds,
            "checkpoints": in_turn if checkpoints is None else checkpoints,
            "parallel": 1 if in_turn else 64,
            "captures": captures,
            "catalog": str(catalog.absolute()) if catalog else None,
            "kubernetes": kubernetes.to_dict() if kubernetes else None,
            "hosts": hosts,
        }  # fmt: skip
        (folder / "world.json").write_text(json.dumps(settings))
        return cls(folder)

    @classmethod
    def open(cls, dir: Path | str) -> World:
        """Opens a world that exists. Raises InputError where there is none."""
        folder = Path(dir).absolute()
        try:
            world = cls(folder)
        except (OSError, ValueError):
            message = f"{folder} holds no world: `colony rehearse FILE --world DIR` makes one"
            raise InputError(message) from None
        if world._settings.get("version") != VERSION:
            raise InputError(f"{folder} holds a world of another version of Colony")
        return world

    @property
    def seed(self) -> int:
        return int(self._settings["seed"])

    @property
    def parallel(self) -> int:
        """How many operations at once: one where a fault kills, so that it finds the same."""
        return int(self._settings["parallel"])

    @property
    def kubernetes(self) -> RealCluster | None:
        """The real API server behind its clusters."""
        return RealCluster.stored(self._settings.get("kubernetes"))

    @property
    def hosts(self) -> bool:
        """Whether its commands really run."""
        return bool(self._settings.get("hosts"))

    @property
    def faults(self) -> Any:
        """What goes wrong in it, and its quotas."""
        return _faults(json.loads((self.dir / "faults.json").read_text()))

    @property
    def project_dir(self) -> Path:
        """Pulumi.yaml and the stack configs."""
        return self.dir / "project"

    @property
    def backend_url(self) -> str:
        return (self.dir / "state").as_uri()

    def start(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Starts the server or finds the one that runs, and does something else `meanwhile`.
        Raises NotReady where it does not come."""
        self._link.start(meanwhile)

    def stop(self) -> None:
        """Leaves the server, which ends with the last of its users; nothing is lost."""
        self._link.stop()

    def environment(self) -> dict[str, str]:
        """The whole environment of the engine: closed, so that no real cloud can be reached.

        Starts the server, since the providers' ports are in it.
        """
        self.start()
        ports = (self._link.server() or {})["ports"]
        home = self.dir / "home"
        environment = {
            "PATH": os.pathsep.join(self._search_path),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.dir / "tmp"),
            "PULUMI_HOME": str(self.dir / "pulumi-home"),
            "PULUMI_BACKEND_URL": self.backend_url,
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.dir / "passphrase"),
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in ports.items()),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        if not self._settings["checkpoints"]:
            environment["PULUMI_SKIP_CHECKPOINTS"] = "true"
        return environment

    def announce(self, pid: int) -> None:
        """Says which process the kill faults kill."""
        temporary = self.dir / "run.json.new"
        temporary.write_text(json.dumps({"pid": pid}))
        temporary.replace(self.dir / "run.json")

    def now(self) -> float:
        """Unix seconds of the world's own clock."""
        return float(self._link.ask("now"))

    def advance(self, seconds: float) -> float:
        """Lets time pass; returns the new time."""
        return float(self._link.ask("advance", seconds=seconds))

    def inventory(
        self, tags: Mapping[str, str] | None = None, *, everything: bool = False
    ) -> list[dict[str, Any]]:
        """What exists and costs money, with `everything` also what costs nothing."""
        asked = dict(tags) if tags else None
        return list(self._link.ask("inventory", tags=asked, everything=everything))

    def thing(self, id: str) -> dict[str, Any]:
        """All that is known of one thing; secrets are masked. Raises Refused."""
        return dict(self._link.ask("thing", id=id))

    def delete(self, id: str, type: str | None = None) -> None:
        """The cloud's own delete; attachments are taken off first. Raises Refused while something
        blocks it. Of several types with one id, the one that costs money."""
        self._link.ask("delete", id=id, type=type)

    def objects(
        self, cluster_id: str, kind: str, namespace: str | None = None
    ) -> list[dict[str, Any]]:
        """Kubernetes objects of a kind, in one namespace or all. Raises Refused."""
        return list(
            self._link.ask("objects", cluster_id=cluster_id, kind=kind, namespace=namespace)
        )

    def nodes(self, cluster_id: str) -> list[dict[str, Any]]:
        """Node objects of a cluster's pools."""
        return list(self._link.ask("nodes", cluster_id=cluster_id))

    def drift(self) -> int:
        """Lets clouds and controllers change what they change by themselves; of how many things."""
        return int(self._link.ask("drift"))

    def put_object(self, cluster_id: str, obj: Mapping[str, Any]) -> None:
        """`kubectl apply`. Raises Refused."""
        self._link.ask("put_object", cluster_id=cluster_id, obj=dict(obj))

    def delete_object(self, cluster_id: str, kind: str, namespace: str | None, name: str) -> None:
        """`kubectl delete`, with what the object brought about. Raises Refused."""
        self._link.ask(
            "delete_object", cluster_id=cluster_id, kind=kind, namespace=namespace, name=name
        )

    def free_object(self, cluster_id: str, kind: str, namespace: str | None, name: str) -> None:
        """Takes an object's finalizers off, whoever was to do their work. Raises Refused."""
        self._link.ask(
            "free_object", cluster_id=cluster_id, kind=kind, namespace=namespace, name=name
        )

    def patch_status(
        self,
        cluster_id: str,
        kind: str,
        namespace: str | None,
        name: str,
        status: Mapping[str, Any],
    ) -> None:
        """What a controller does. Raises Refused."""
        place = {"cluster_id": cluster_id, "kind": kind, "namespace": namespace, "name": name}
        self._link.ask("patch_status", **place, status=dict(status))

    def preempt(self, urn: str, region: str) -> int:
        """Notes that a machine of this pool was taken; returns how often that has happened."""
        return int(self._link.ask("preempt", urn=urn, region=region))

    def preempted(self, urn: str, region: str) -> int:
        """How often a machine of this pool was taken."""
        return int(self._link.ask("preempted", urn=urn, region=region))

    def add_cluster(self, cluster_id: str, endpoint: str = "") -> None:
        """A cluster of the user's own, found by identifier or by the endpoint in a kubeconfig."""
        self._link.ask("add_cluster", cluster_id=cluster_id, endpoint=endpoint)

    def operations(self) -> list[dict[str, Any]]:
        """The journal: what was asked and done, in order of its happening."""
        return list(self._link.ask("operations"))

    def durations(self) -> dict[tuple[str, str], float]:
        """(urn, op) -> seconds of its last attempt."""
        return {(urn, op): float(seconds) for urn, op, seconds in self._link.ask("durations")}

    def charge(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Appends `bill` lines to the ledger; `at` defaults to now."""
        lines = [{"at": self.now(), **entry, "op": "bill"} for entry in entries]
        append_lines(self.dir / LEDGER, lines)

    def left(self) -> list[dict[str, Any]]:
        """What is billable and still there, from the ledger alone."""
        return left(self.dir)

    def close(self) -> None:
        """Lets go of the connection; the server goes on."""
        self._link.close()

    @cached_property
    def _search_path(self) -> list[str]:
        from colony.toolchain import find_cli

        cli = str(find_cli().path.parent)
        return [cli, str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]


def _faults(given: Any) -> Any:
    from colony.rehearsal.faults import load_faults, parse_faults

    if isinstance(given, str | Path):
        return load_faults(Path(given))
    return parse_faults(given)


def _copy_project(target: Path) -> None:
    """The checkout's own project, so that plain `pulumi` works in a world's folder too."""
    root = next(
        (up for up in Path(__file__).resolve().parents if (up / "Pulumi.yaml").exists()), None
    )
    if root is None:
        (target / "Pulumi.yaml").write_text("name: colony\nruntime: python\n")
        return
    shutil.copy(root / "Pulumi.yaml", target / "Pulumi.yaml")
    (target / "stacks").mkdir(exist_ok=True)
    if (root / "stacks" / "__main__.py").exists():
        shutil.copy(root / "stacks" / "__main__.py", target / "stacks" / "__main__.py")


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)

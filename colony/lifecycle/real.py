"""The real clouds as ground: the user's backend, real time, the clouds' own inventories."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colony.inventory import inventory_of
from colony.lifecycle.ground import ClusterAccess, LiveCluster, Span, Thing, records_of
from colony.lifecycle.pause import asleep
from colony.lifecycle.state import resources
from colony.storage.opening import open_backend, refuse_missing
from components.spec import OWNED
from jobs.errors import NotReady

if TYPE_CHECKING:
    from colony.engine import Engine
    from colony.storage.base import Storage
    from components.placement import Placement
    from components.spec import ColonySpec

__all__ = ["Real", "project_folder"]

STATE = "~/.colony/state"
VARIABLE = "PULUMI_BACKEND_URL"


class Real:
    """One backend: a folder, a bucket, or Pulumi Cloud."""

    name = "the real clouds"
    simulated = False
    installs = True
    parallel = 64

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.url = storage.url
        self.local = self.url.startswith("file:")
        self.timing: dict[str, dict[str, Any]] = {}

    @classmethod
    def open(cls, backend: str = "") -> Real:
        """`backend`, else `PULUMI_BACKEND_URL`, else a folder of this user. Raises InputError for
        what is no backend, NotReady where it does not let us in."""
        url = backend or os.environ.get(VARIABLE) or f"file://{Path(STATE).expanduser()}"
        storage = open_backend(url, "--backend" if backend else VARIABLE)
        if url.startswith("file:"):
            storage.root.mkdir(parents=True, exist_ok=True)
        return cls(storage)

    @classmethod
    def reopen(cls, backend: str = "") -> Real:
        """The same where something must be there already: InputError for a folder that is not,
        but for the user's own."""
        if named := backend or os.environ.get(VARIABLE, ""):
            refuse_missing(named, "--backend" if backend else VARIABLE)
        return cls.open(backend)

    def __enter__(self) -> Real:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @cached_property
    def engine(self) -> Engine:
        from colony.engine import Engine, passphrase_needed
        from colony.setup import ready_cli

        environment = {}
        if self.storage.durable and passphrase_needed(os.environ):
            environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase(self.storage))
        return Engine(project_folder(), self.url, environment, ready_cli())

    def arguments(self) -> list[str]:
        return ["--backend", self.url]

    def check(self, placement: Placement) -> None:
        """Before anything is created: is there a way in, and a way to prove that all is gone?

        Raises NotReady.
        """
        for cloud, region in {(each.cloud, each.region) for each in placement.clusters}:
            if cloud not in OWNED:
                inventory_of(cloud, region).check()

    def kubeconfig(self, given: str) -> str:
        return given

    def now(self) -> float:
        return time.time()

    def wait(self, seconds: float, until: float | None = None) -> None:
        asleep(seconds if until is None else max(0.0, min(seconds, until - self.now())))

    def announce(self, runner: Mapping[str, Any]) -> None:
        """The record beside the state says it."""

    def settle_up(
        self, deployment: Mapping[str, Any], since: float, before: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        return [
            {"at": round(_unix(each["created"]) - since, 3), "what": "created", "urn": each["urn"]}
            for each in resources(deployment)
            if each.get("created")
        ]

    def settle_destroy(self, before: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        at = round(self.now() - since, 3)
        return [{"at": at, "what": "deleted", "urn": each["urn"]} for each in resources(before)]

    def start_jobs(
        self, spec: ColonySpec, placement: Placement, clusters: list[LiveCluster]
    ) -> None:
        """The cluster's controllers start them."""

    def stop_jobs(self, at_once: bool = False, cluster: str = "") -> None:
        """They end with their cluster."""

    def cluster(self, cluster: LiveCluster) -> ClusterAccess:
        from colony.lifecycle.kube import Kube

        return Kube(cluster.kubeconfig)

    def nodes(self, cluster: LiveCluster) -> list[dict[str, Any]] | None:
        return self.cluster(cluster).objects("Node")

    def inventory(self, stack: str, clusters: list[str]) -> list[Thing]:
        found: dict[str, Thing] = {}
        for place in records_of(self, stack).places():
            cloud = inventory_of(*place)
            things = cloud.find("colony-stack", stack)
            for name in clusters:
                things += cloud.find(f"kubernetes.io/cluster/{name}")
            found |= {thing.id: _placed(thing, place) for thing in things}
        return list(found.values())

    def delete(self, thing: Thing) -> None:
        cloud, region = thing.tags["@place"].split("/")
        inventory_of(cloud, region).delete(thing)

    def spans(self, stack: str, placement: Placement | None, since: float) -> list[Span]:
        """Nodes and control planes for the whole life: the upper bound of what is billed."""
        end = self.now() - since
        spans = []
        for cluster in placement.clusters if placement else []:
            control = cluster.control_plane_per_hour
            spans.append(Span(cluster.name, "control plane", "", control, 0.0, end))
            for pool in cluster.pools:
                price = pool.nodes * pool.price_per_node_hour
                name = f"{cluster.name}/{pool.name}"
                until = end if pool.stopped is None else min(end, pool.stopped - since)
                spans.append(Span(name, "pool", "", price, 0.0, until, pool.nodes))
        return spans

    def charge(self, stack: str, spans: list[Span], since: float) -> None:
        """The clouds keep their own books."""


def project_folder() -> Path:
    """COLONY_PROJECT, or the checkout that this package is installed from."""
    named = os.environ.get("COLONY_PROJECT")
    return Path(named) if named else Path(__file__).resolve().parents[2]


def _passphrase(storage: Storage) -> Path:
    """One random passphrase a folder, readable by its owner only. Raises NotReady for a bucket:
    whoever reaps elsewhere would not have it, and in the bucket it would protect nothing."""
    if storage.remote:
        raise NotReady(
            f"{storage.url} needs a passphrase that every machine knows which is to end its "
            "colonies: set PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    path = storage.root / ".colony" / "passphrase"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path


def _placed(thing: Thing, place: tuple[str, str]) -> Thing:
    """Remembers where it was found: the deletion has to go there."""
    return replace(thing, tags={**thing.tags, "@place": "/".join(place)})


def _unix(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

"""The controllers of other projects, run as processes against a control plane of ours.

How each is started is in controllers.yaml. Their CRDs, webhooks and default runtimes are those of
their Go modules. The API server is outside of the cluster, so webhooks are registered by URL, on
loopback, with an authority of our own:

    jobset    all of its webhooks: defaults, validation, pods of exclusive placement
    kueue     all, and conversion between versions; frameworks that are off are let through
    trainer   all: defaults and validation of TrainJobs and runtimes
    volcano   all, by its webhook manager
    mpi       has none
    kuberay   has them off, as its chart does

Each runs as an administrator: what its own roles allow is not shown here.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from testbed import build
from testbed.certs import Authority, write_private
from testbed.children import Child, answers, free_ports
from testbed.cluster import Cluster, Object
from testbed.plane import LOOPBACK, ControlPlane
from testbed.ray import Dashboards

__all__ = ["NAMES", "Controllers", "needed_programs"]

DATA = Path(__file__).with_name("controllers.yaml")
DEADLINE = 90.0
BULK = 4
"""Requests at a time for many CRDs."""
CRD = "CustomResourceDefinition"
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Volcano's manifest is a megabyte."""


@cache
def _rows() -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = yaml.safe_load(DATA.read_text())
    return rows


NAMES = tuple(_rows())


def needed_programs(*names: str) -> list[str]:
    """The programs of controllers, those that they need, or whose CRDs, included."""
    found: dict[str, None] = {}
    for name in names:
        row = _rows()[name]
        found |= dict.fromkeys(needed_programs(*row.get("needs", ())))
        found |= dict.fromkeys(_rows()[each]["program"] for each in row.get("crds_of", ()))
        found |= dict.fromkeys(each["program"] for each in row["processes"])
    return list(found)


class Controllers:
    """The controllers of one control plane; each is started once, when first asked for."""

    def __init__(self, plane: ControlPlane, cluster: Cluster) -> None:
        self.dashboards = Dashboards()
        """What Ray's dashboards answer: the outcome of each job."""
        self._plane, self._cluster = plane, cluster
        self._started: dict[str, list[Child]] = {}

    def start(self, *names: str) -> None:
        """Returns when they answer. Raises ChildError where one does not."""
        for name in names:
            if name not in self._started:
                self.start(*_rows()[name].get("needs", ()))
                self._started[name] = _Start(
                    name, self._plane, self._cluster, self.dashboards
                ).run()

    def children(self, name: str) -> list[Child]:
        """Its processes, for a test that kills one or reads its log."""
        return self._started[name]

    def close(self) -> None:
        """Stops the dashboards; the processes go with the plane."""
        self.dashboards.close()


class _Start:
    """One start of one controller."""

    def __init__(
        self, name: str, plane: ControlPlane, cluster: Cluster, dashboards: Dashboards
    ) -> None:
        self.plane, self.cluster = plane, cluster
        self.folder = plane.folder / "controllers" / name
        health, self.webhook, spare = free_ports(3)
        rotator = _rows()[name].get("rotator", {})
        self.authority = Authority(
            self.folder / "authority", rotator.get("authority", f"{name}-ca"), rsa_key=bool(rotator)
        )
        self.trust = ssl.create_default_context(cafile=str(self.authority.certificate))
        self.paths: list[str] = []
        """Of its webhooks."""
        self.certs = self.folder / _rows()[name].get("certificates", "certs")
        self.row = self._filled(
            name,
            health=health,
            webhook=self.webhook,
            proxy=dashboards.port if name == "kuberay" else spare,
            folder=self.folder,
            certs=self.certs,
            kubeconfig=plane.kubeconfig,
        )
        self.files = build.files(self.row["program"])

    def run(self) -> list[Child]:
        binaries = build.programs(*(each["program"] for each in self.row["processes"]))
        metadata = {"name": self.row["namespace"]}
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self._write_certificates()
        if "config" in self.row:
            (self.folder / "config.yaml").write_text(yaml.safe_dump(self.row["config"]))
        self._apply_crds()
        self._apply_webhooks()
        started = [self._process(each, binaries) for each in self.row["processes"]]
        self._settle(started[-1])
        for path in self.row.get("apply", ()):
            self.cluster.apply((self.files / path).read_text())
        return started

    def _filled(self, name: str, **values: object) -> dict[str, Any]:
        """The row with its names filled in before it is read, so that ports are numbers."""
        text = Template(DATA.read_text()).safe_substitute({k: str(v) for k, v in values.items()})
        row: dict[str, Any] = yaml.safe_load(text)[name]
        return row

    def _write_certificates(self) -> None:
        rotator = self.row.get("rotator", {})
        names = [f"{rotator['service']}.{self.row['namespace']}.svc"] if rotator else []
        pair = self.authority.issue("serving", "webhook", dns=names, addresses=[LOOPBACK])
        parts = {
            "ca.crt": self.authority.certificate,
            "ca.key": self.authority.key,
            "tls.crt": pair.certificate,
            "tls.key": pair.key,
        }
        self.certs.mkdir(parents=True, exist_ok=True)
        for file, source in parts.items():
            write_private(self.certs / file, source.read_bytes())
        if rotator:
            encoded = {k: base64.b64encode(v.read_bytes()).decode() for k, v in parts.items()}
            metadata = {"name": rotator["secret"], "namespace": self.row["namespace"]}
            self.cluster.apply(
                {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
            )

    def _apply_crds(self) -> None:
        crds = list(_documents(self.files, self.row["crds"], CRD))
        for crd in crds:
            if "conversion" in self.row and len(crd["spec"]["versions"]) > 1:
                client = self._client(self.row["conversion"])
                crd["spec"]["conversion"] = {
                    "strategy": "Webhook",
                    "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
                }
        for name in self.row.get("crds_of", ()):
            other = _rows()[name]
            crds += _documents(build.files(other["program"]), other["crds"], CRD)
        with ThreadPoolExecutor(BULK) as pool:
            list(pool.map(lambda crd: self.cluster.create(_terse(crd)), crds))
        wanted = {(version, plural) for crd in crds for version, plural in _served(crd)}
        self.cluster.wait(
            lambda: all(self.cluster.serves(*each) for each in wanted), DEADLINE, str(wanted)
        )

    def _apply_webhooks(self) -> None:
        row = self.row.get("webhooks")
        if not row:
            return
        for found in _documents(self.files, [row["manifest"]], *WEBHOOKS):
            for hook in found["webhooks"]:
                self.paths.append(hook["clientConfig"]["service"]["path"])
                hook["clientConfig"] = self._client(self.paths[-1])
                for field in ("object", "namespace"):
                    selectors = row.get(f"{field}s", {})
                    if chosen := selectors.get(hook["name"], selectors.get("*")):
                        hook[f"{field}Selector"] = chosen
            name = row["prefix"] + found["metadata"]["name"].strip()
            self.cluster.apply({**found, "metadata": {"name": name}})

    def _settle(self, child: Child) -> None:
        """Waits for what a health check does not tell: each webhook, and its own objects."""
        child.wait_ready(lambda: all(map(self._is_served, self.paths)), DEADLINE)
        if wanted := self.row.get("settled"):
            self.cluster.wait_for(
                wanted["kind"],
                wanted["name"],
                lambda found: wanted["status"].items() <= found.get("status", {}).items(),
                seconds=DEADLINE,
            )

    def _is_served(self, path: str) -> bool:
        """A handler that is there refuses an empty question; where there is none it is 404."""
        return answers(f"https://{LOOPBACK}:{self.webhook}{path}", self.trust, {200, 400, 415, 500})

    def _process(self, row: dict[str, Any], binaries: dict[str, Path]) -> Child:
        environment = {
            "KUBECONFIG": str(self.plane.kubeconfig),
            "HOME": str(self.folder),
            **row.get("environment", {}),
        }
        name = row["program"]
        child = self.plane.run(name, [binaries[name], *row["argv"]], environment)
        child.wait_ready(lambda: _is_ready(child, row["ready"]), DEADLINE)
        return child

    def _client(self, path: str) -> Object:
        url = f"https://{LOOPBACK}:{self.webhook}{path}"
        return {"url": url, "caBundle": self.authority.bundle()}


def _documents(root: Path, paths: Sequence[str], *kinds: str) -> Iterator[Object]:
    for path in paths:
        found = root / path
        for file in sorted(found.glob("*.yaml")) if found.is_dir() else [found]:
            for one in yaml.load_all(file.read_text(), Loader):
                if one and one.get("kind") in kinds:
                    one["metadata"].pop("creationTimestamp", None)
                    yield one


def _served(crd: Object) -> Iterator[tuple[str, str]]:
    spec = crd["spec"]
    for version in spec["versions"]:
        if version["served"]:
            yield f"{spec['group']}/{version['name']}", spec["names"]["plural"]


def _terse(schema: Any) -> Any:
    """Without descriptions, which are most of a CRD: some take an API server seconds."""
    if isinstance(schema, list):
        return [_terse(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {  # a property may have that name too, and is then no text
        key: _terse(each)
        for key, each in schema.items()
        if key != "description" or not isinstance(each, str)
    }


def _is_ready(child: Child, ready: str | int) -> bool:
    if isinstance(ready, int):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((LOOPBACK, ready)) == 0
    return answers(ready) if ready.startswith("http") else child.said(ready)

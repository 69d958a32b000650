"""Google Cloud by its own command line, `gcloud`: labels, and descriptions of what takes none.

What GKE's controllers make carries the cluster's name as a label.
https://cloud.google.com/sdk/gcloud/reference/topic/filters
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony.inventory.cloud_cli import asked
from colony.inventory.prices import price_of
from colony.lifecycle.ground import Thing
from jobs.errors import ColonyError, NotReady

__all__ = ["GcpInventory", "everywhere", "open_inventory"]

_SECONDS = 300
_GONE = ("was not found", "NOT_FOUND", "notFound")
_OFF = ("SERVICE_DISABLED", "has not been used in project", "is not enabled")
"""A service that the project never turned on has nothing in it."""
_CLUSTERS = "kubernetes.io/cluster/"
"""How other clouds mark what a cluster's controllers made; Google's label is the second."""
_MADE_BY = "goog-k8s-cluster-name"
_PROJECT = (
    "GOOGLE_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "CLOUDSDK_CORE_PROJECT",
)
"""Where the provider looks for the project, in this order; else it is gcloud's own.
https://www.pulumi.com/registry/packages/gcp/installation-configuration/"""


def open_inventory(region: str) -> GcpInventory:
    """Whoever `gcloud auth login` signed in. Raises NotReady without the command line."""
    if shutil.which("gcloud") is None:
        hint = "see https://cloud.google.com/sdk/docs/install"
        raise NotReady(f"the Google Cloud CLI `gcloud` is missing: {hint}")
    project = next((os.environ[name] for name in _PROJECT if os.environ.get(name)), "")
    return GcpInventory(region, project, _gcloud)


def everywhere() -> list[GcpInventory]:
    """Raises NotReady where nobody is signed in."""
    found = open_inventory("")
    found.check()
    return [found]


@dataclass(frozen=True)
class GcpInventory:
    """One project, one region with its zones, and what is in no region."""

    region: str
    """Empty = all of them."""
    project: str
    """Empty = gcloud's own."""
    ask: Callable[[list[str]], str]
    """Runs `gcloud` with the arguments. Raises ColonyError with its words."""

    @property
    def place(self) -> tuple[str, str]:
        return "gcp", self.region

    def check(self) -> None:
        """Raises NotReady unless somebody is signed in who may list clusters."""
        try:
            self._listed(["container", "clusters", "list", "--limit=1"])
        except ColonyError as error:
            hint = "see `gcloud auth login` and `gcloud config set project`"
            raise NotReady(f"Google Cloud does not let us in: {error}; {hint}") from error

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        if tag.startswith(_CLUSTERS):
            tag, value = _MADE_BY, tag.removeprefix(_CLUSTERS)
        return [thing for kind in _facts() for thing in self._of(kind, tag, value)]

    def delete(self, thing: Thing) -> None:
        rule = _facts()[thing.type]
        order = [*rule["delete"], *_named(thing, rule), "--quiet"]
        try:
            self.ask(order + self._in_project())
        except ColonyError as error:
            if not any(word in str(error) for word in _GONE):
                raise

    def _of(self, kind: str, tag: str, value: str | None) -> list[Thing]:
        rule = _facts()[kind]
        found = []
        for entry in self._entries(rule, tag, value):
            tags = _tags(entry.get(rule["lease"]))
            wanted = tag in tags and value in (None, tags[tag])
            if wanted and entry.get("status") not in rule.get("over", []) and self._here(entry):
                found.append(Thing(_address(entry), kind, tags, _price(rule, entry)))
        return sorted(found, key=lambda thing: thing.id)

    def _entries(self, rule: dict[str, Any], tag: str, value: str | None) -> list[dict[str, Any]]:
        try:
            return self._listed([*rule["list"], f"--filter={_filter(rule['lease'], tag, value)}"])
        except ColonyError as error:
            if any(word in str(error) for word in _OFF):
                return []
            raise

    def _listed(self, order: list[str]) -> list[dict[str, Any]]:
        said = self.ask([*order, "--format=json", *self._in_project()])
        found: list[dict[str, Any]] = json.loads(said or "[]")
        return found

    def _in_project(self) -> list[str]:
        return [f"--project={self.project}"] if self.project else []

    def _here(self, entry: Mapping[str, Any]) -> bool:
        """A zone's name is its region's and a letter; networks and accounts are everywhere."""
        place = _place(entry)
        return (
            not (place and self.region)
            or place == self.region
            or place.rpartition("-")[0] == self.region
        )


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return facts


def _filter(field: str, tag: str, value: str | None) -> str:
    """A description is only searched here, and read by `_tags`."""
    if field == "description":
        return f"description~{tag}"
    return f"{field}.{tag}:*" if value is None else f"{field}.{tag}={value}"


def _tags(lease: Mapping[str, str] | str | None) -> dict[str, str]:
    """Labels, or a description as our networks have it: `colony=demo, colony-stack=demo`."""
    if isinstance(lease, str):
        pairs = [part.partition("=") for part in lease.split(", ")]
        return {key: value for key, equals, value in pairs if equals}
    return dict(lease or {})


def _address(entry: Mapping[str, Any]) -> str:
    return str(entry.get("selfLink") or entry["name"])


def _place(entry: Mapping[str, Any]) -> str:
    """Addresses of zones and regions end with their names."""
    place = str(entry.get("location") or entry.get("zone") or entry.get("region") or "")
    return "" if place == "global" else place.rsplit("/", 1)[-1]


def _price(rule: Mapping[str, Any], entry: Mapping[str, Any]) -> float | None:
    place = _place(entry)
    region = place.rpartition("-")[0] if place.count("-") == 2 else place
    return price_of("gcp", rule["usd_per_hour"], entry, region)


def _named(thing: Thing, rule: Mapping[str, Any]) -> list[str]:
    """`.../locations/us-central1/clusters/demo`; compute takes the whole address."""
    if "short" not in rule:
        return [thing.id]
    parts = thing.id.split("/")
    return [parts[-1], *([f"{rule['short']}={parts[-3]}"] if rule["short"] else [])]


def _gcloud(arguments: list[str]) -> str:
    return asked("gcloud", arguments, seconds=_SECONDS, named=3)

"""Azure by its own command line, `az`: tags are listed by resource and by resource group; those of
all regions and subscriptions by the Resource Graph.

A group goes with all that is in it, and so what lies in a listed group is not listed again.
https://learn.microsoft.com/cli/azure/resource#az-resource-list
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony.inventory.cloud_cli import asked
from colony.inventory.prices import price_of
from colony.lifecycle.ground import Thing
from jobs.errors import ColonyError, NotReady

__all__ = ["AzureInventory", "everywhere", "open_inventory"]

_SECONDS = 120
_GONE = ("ResourceGroupNotFound", "ResourceNotFound", "could not be found")
_GROUP = "Microsoft.Resources/resourceGroups"
_GROUPS = "microsoft.resources/subscriptions/resourcegroups"
_GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
_CLUSTER, _MADE_BY = "kubernetes.io/cluster/", "aks-managed-cluster-name"
"""How other clouds mark what a cluster's controllers made; AKS keeps it in a group of its own."""


def open_inventory(region: str) -> AzureInventory:
    """Whoever `az login` signed in. Raises NotReady without the command line."""
    if shutil.which("az") is None:
        raise NotReady("the Azure CLI `az` is missing: see https://learn.microsoft.com/cli/azure")
    return AzureInventory(region, _az)


def everywhere() -> list[AzureInventory]:
    """Raises NotReady where nobody is signed in."""
    found = open_inventory("")
    found.check()
    return [found]


@dataclass(frozen=True)
class AzureInventory:
    """One subscription, one region."""

    region: str
    """Empty = all of them."""
    ask: Callable[[list[str]], str]
    """Runs `az` with the arguments. Raises ColonyError with its words."""

    @property
    def place(self) -> tuple[str, str]:
        return "azure", self.region

    def check(self) -> None:
        """Raises NotReady unless somebody is signed in."""
        try:
            self.ask(["account", "show"])
        except ColonyError as error:
            raise NotReady(f"Azure does not let us in: {error}; see `az login`") from error

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        if tag.startswith(_CLUSTER):
            tag, value = _MADE_BY, tag.removeprefix(_CLUSTER)
        found = self._listed_here(tag, value) if self.region else self._graph(tag, value)
        return self._priced(found) if found else []

    def _listed_here(self, tag: str, value: str | None) -> list[Thing]:
        wanted = tag if value is None else f"{tag}={value}"
        groups = self._listed(["group", "list", "--tag", wanted])
        here = [_thing(each, _GROUP) for each in groups]
        inside = tuple(f"{thing.id.lower()}/" for thing in here)
        parts = self._listed(["resource", "list", "--tag", wanted])
        here += [
            _thing(each, each["type"])
            for each in parts
            if not each["id"].lower().startswith(inside)
        ]
        return sorted(here, key=lambda thing: (thing.type, thing.id))

    def delete(self, thing: Thing) -> None:
        name = thing.id.rsplit("/", 1)[-1]
        if thing.type == _GROUP:
            order = ["group", "delete", "--name", name, "--yes", "--no-wait"]
            order += ["--subscription", thing.id.split("/")[2]]
        else:
            order = ["resource", "delete", "--ids", thing.id, "--no-wait"]
        try:
            self.ask(order)
        except ColonyError as error:
            if not any(word in str(error) for word in _GONE):
                raise

    def _graph(self, tag: str, value: str | None) -> list[Thing]:
        """Of all subscriptions at once; its rows lag behind the truth by seconds.
        https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
        """
        wanted = f"tags[{json.dumps(tag)}]"
        fits = f"isnotnull({wanted})" if value is None else f"{wanted} == {json.dumps(value)}"
        found: dict[str, Thing] = {}
        for table in ("resourcecontainers", "resources"):
            query = f"{table} | where {fits} | project id, type, tags, properties"
            for row in self._rows(query):
                inside = any(row["id"].lower().startswith(f"{group}/") for group in found)
                kind = _GROUP if row["type"].lower() == _GROUPS else row["type"]
                if not inside:
                    found[row["id"].lower()] = _thing(row, kind)
        return sorted(found.values(), key=lambda thing: (thing.type, thing.id))

    def _priced(self, things: list[Thing]) -> list[Thing]:
        """With what they cost, groups with all that is in them; unknown where nobody says it."""
        names = sorted({json.dumps(thing.id.split("/")[4]) for thing in things})
        query = f"resources | where resourceGroup in~ ({', '.join(names)})"
        try:
            rows = self._rows(f"{query} | project id, type, location, sku, properties")
        except ColonyError:
            return things
        costs = {row["id"].lower(): _price(row) for row in rows}
        return [replace(thing, usd_per_hour=_cost(thing.id.lower(), costs)) for thing in things]

    def _rows(self, query: str) -> list[dict[str, Any]]:
        """All pages."""
        rows: list[dict[str, Any]] = []
        options: dict[str, Any] = {"resultFormat": "objectArray"}
        while True:
            body = json.dumps({"query": query, "options": options})
            order = ["rest", "--method", "post", "--url", _GRAPH, "--body", body]
            said = json.loads(self.ask([*order, "--output", "json"]))
            rows += said["data"]
            if not said.get("$skipToken"):
                return rows
            options = {**options, "$skipToken": said["$skipToken"]}

    def _listed(self, order: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ask([*order, "--output", "json"]) or "[]")
        return [each for each in found if self.region in ("", each.get("location"))]


def _thing(entry: dict[str, Any], kind: str) -> Thing:
    return Thing(entry["id"], kind, dict(entry.get("tags") or {}), going=_going(entry))


def _price(row: dict[str, Any]) -> float | None:
    rule = _prices().get(row["type"].lower())
    return None if rule is None else price_of("azure", rule, row, row["location"])


def _cost(id_: str, costs: dict[str, float | None]) -> float | None:
    """Of a group, what is known of it; None where nothing is."""
    if id_ in costs:
        return costs[id_]
    known = [cost for each, cost in costs.items() if cost and each.startswith(f"{id_}/")]
    return sum(known) if known else None


@cache
def _prices() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return found


def _going(entry: dict[str, Any]) -> bool:
    own = entry.get("properties") or {}
    return "Deleting" in (entry.get("provisioningState"), own.get("provisioningState"))


def _az(arguments: list[str]) -> str:
    return asked("az", arguments, seconds=_SECONDS, named=2)

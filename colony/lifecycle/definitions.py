"""The CRDs that a colony's layers bring to a cluster that stays: Helm installs what is in a chart's
`crds/`, and never takes it away.
https://helm.sh/docs/chart_best_practices/custom_resource_definitions/

Before anything is made it is written down which of them are not there yet; for charts of the
user's own, whose content nobody knows then, which CRDs there are. At the end those go that we
brought, unless somebody has an object of them. Without that record nothing is removed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from colony.contexts import in_context
from colony.kubeapi import KubeApi, Resource
from colony.lifecycle.ground import Ground, LiveCluster, Tell, records_of
from colony.lifecycle.helm_records import SECRETS, opened
from colony.lifecycle.state import KUBERNETES, live_clusters, plain, resources
from components.checks.owners import brings
from components.layer_choice import ChosenLayer
from components.placement import Placement
from components.spec import Cloud
from jobs.errors import ColonyError, NotReady
from jobs.quantities import counted

__all__ = [
    "CRDS",
    "drop_definitions",
    "foreseen",
    "name_definitions",
    "note_definitions",
    "remove_definitions",
]

CRDS = Resource("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions",
                False)  # fmt: skip
RELEASE = "kubernetes:helm.sh/v3:Release"
MANIFESTS = (".yaml", ".yml", ".json")
"""What Helm installs of `crds/`; a README may be there, too."""
RECORD = "definitions"
"""By the identifier of a cluster: `ours`, and `before` where charts of the user's own go in."""
DEADLINE = 30.0
"""Seconds that what is left of their objects gets to go."""
POLL = 1.0

Foreseen = Mapping[str, list[str]]


def foreseen(chosen: Iterable[ChosenLayer], there: frozenset[str]) -> Foreseen:
    """`ours`: what the charts of these layers bring to a cluster that has the CRDs `there`."""
    bringing = [each for each in chosen if not each.choice.skip_crds]
    ours = {name for each in bringing for name, _ in brings(each)} - there
    own = any(each.choice.chart for each in bringing)
    return {"ours": sorted(ours), **({"before": sorted(there)} if own else {})}


def note_definitions(
    ground: Ground, stack: str, found: Mapping[str, Foreseen], anew: bool = False
) -> None:
    """Before anything is made. What was there at first counts: what came later may be ours."""
    records = records_of(ground, stack)
    known: dict[str, Any] = {} if anew else records.read(RECORD) or {}
    for identifier, fresh in found.items():
        old = known.get(identifier, {})
        ours = sorted({*fresh["ours"], *old.get("ours", [])})
        known[identifier] = {**fresh, **old, "ours": ours}
    if known:
        records.write(RECORD, known)
    elif anew:
        records.remove(RECORD)


def name_definitions(ground: Ground, stack: str, state: Mapping[str, Any]) -> list[str]:
    """Before the destroy: Helm's records, which go with it, have the user's own charts. Returns
    what could not be asked."""
    records = records_of(ground, stack)
    known, notes = records.read(RECORD) or {}, []
    for cluster in live_clusters(state):
        noted = known.get(cluster.identifier, {})
        kubeconfig = ground.kubeconfig(cluster.kubeconfig)
        if cluster.ours or "before" not in noted or not kubeconfig:
            continue
        try:
            brought = set(_brought(KubeApi(kubeconfig), _releases(state, cluster.identifier)))
        except Exception as error:  # whatever a chart has in it: the destroy follows
            notes.append(_may_be_left(cluster.identifier, error))
            continue
        noted["ours"] = sorted({*noted["ours"], *(brought - set(noted["before"]))})
        records.write(RECORD, known)
    return notes


def remove_definitions(ground: Ground, stack: str, tell: Tell) -> list[str]:
    """After the destroy. Returns what stays, and why."""
    known = records_of(ground, stack).read(RECORD) or {}
    ours = {name: each["ours"] for name, each in known.items() if each["ours"]}
    try:
        ways = _kubeconfigs(ground, stack) if ours else {}
    except ColonyError as error:
        return [_may_be_left(identifier, error) for identifier in ours]
    notes: list[str] = []
    for identifier, names in ours.items():
        try:
            if identifier not in ways:
                raise NotReady("the stack config does not say how it is reached")
            notes += _removed(ground, KubeApi(ways[identifier]), names, tell)
        except ColonyError as error:
            notes.append(_may_be_left(identifier, error))
    return notes


def drop_definitions(
    ground: Ground, stack: str, clusters: Iterable[LiveCluster], tell: Tell
) -> list[str]:
    """Of clusters that the colony has left, by what its state knew of them: the stack config does
    not any more. Returns what stays, and why."""
    records = records_of(ground, stack)
    known, notes = records.read(RECORD) or {}, []
    for cluster in clusters:
        kubeconfig = ground.kubeconfig(cluster.kubeconfig)
        if cluster.identifier not in known or not kubeconfig:
            continue
        try:
            names = known[cluster.identifier]["ours"]
            notes += _removed(ground, KubeApi(kubeconfig), names, tell)
            del known[cluster.identifier]
            records.write(RECORD, known)
        except ColonyError as error:
            notes.append(_may_be_left(cluster.identifier, error))
    return notes


def _may_be_left(identifier: str, error: Exception) -> str:
    return f"CRDs of layers may be left on {identifier}: {error}"


def _removed(ground: Ground, api: KubeApi, names: list[str], tell: Tell) -> list[str]:
    """With a definition everybody's objects would go, so there must be none."""
    until, left = ground.now() + DEADLINE, list(names)
    while left:
        used = {name: _used(api, name) for name in left}
        for name in [name for name in left if used[name] == 0]:
            tell(f"removing the CRD {name}")
            api.delete(CRDS, None, name)
        left = [name for name in left if used[name] is not None]
        if left and ground.now() > until:
            return [
                f"the CRD {name} stays: {counted(used[name] or 0, 'object')} of it" for name in left
            ]
        if left:
            ground.wait(POLL)
    return []


def _used(api: KubeApi, name: str) -> int | None:
    """How many objects are of a definition; None where it is gone."""
    found = api.get(CRDS, None, name)
    if found is None:
        return None
    spec, names = found["spec"], found["spec"]["names"]
    served = [each["name"] for each in spec["versions"] if each.get("served")]
    if not served:
        return 0
    version, namespaced = f"{spec['group']}/{served[0]}", spec["scope"] == "Namespaced"
    return len(api.listed(Resource(version, names["kind"], names["plural"], namespaced)))


def _brought(api: KubeApi, releases: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What Helm's records of these releases have in `crds/`, without charts within charts."""
    for release in releases:
        if release.get("skipCrds"):
            continue
        selector = f"owner=helm,name={release.get('name')}"
        for secret in api.listed(SECRETS, str(release.get("namespace")), selector):
            for file in opened(secret).get("chart", {}).get("files") or []:
                name = str(file.get("name", ""))
                if name.startswith("crds/") and name.endswith(MANIFESTS):
                    yield from _defined(base64.b64decode(file["data"]))


def _defined(text: bytes) -> Iterator[str]:
    for each in yaml.load_all(text, yaml.BaseLoader):
        if isinstance(each, dict) and each.get("kind") == CRDS.kind:
            yield str(each["metadata"]["name"])


def _releases(state: Mapping[str, Any], identifier: str) -> list[Mapping[str, Any]]:
    """The inputs of those in that cluster, the half made too."""
    half_made = [each["resource"] for each in state.get("pending_operations") or []]
    providers = [
        f"{each['urn']}::{each.get('id')}"
        for each in resources(state)
        if each["type"] == KUBERNETES
        and plain(each.get("inputs") or {}).get("clusterIdentifier") == identifier
    ]
    return [
        plain(each.get("inputs") or {})
        for each in [*resources(state), *half_made]
        if each["type"] == RELEASE and each.get("provider") in providers
    ]


def _kubeconfigs(ground: Ground, stack: str) -> dict[str, str]:
    """Of the clusters that stay, by identifier: as the stack config has them, since the state is
    empty by now."""
    config = ground.engine.config(stack)
    given = json.loads(config.get("colony:kubeconfigs") or "{}")
    placed = config.get("colony:placement")
    found = {
        f"existing/{each.context}": ground.kubeconfig(
            in_context(given.get(each.name, ""), each.context)
        )
        for each in (Placement.model_validate_json(placed).clusters if placed else [])
        if each.cloud == Cloud.EXISTING.value
    }
    return {identifier: each for identifier, each in found.items() if each}

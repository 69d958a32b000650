"""Which layers a cluster of the user's has already: read before anything is made.

A layer is there where Helm's records name a release of its chart, or where its CRDs are served and
something answers for them (a Deployment of its name, a webhook for its kinds). CRDs alone are what
an uninstall leaves behind, and no owner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import charts
from colony.kubeapi import KubeApi, Resource
from colony.lifecycle.definitions import CRDS, Foreseen, foreseen
from colony.lifecycle.ground import Ground, Tell
from colony.lifecycle.helm_records import SECRETS, opened
from colony.lifecycle.state import plain, resources
from components.layer_choice import ChosenLayer, chosen_layers
from components.layer_found import Deed, FoundLayer, Standing, as_found
from components.layer_found import Found as Recorded
from components.layer_spec import Existing
from components.spec import Cloud
from jobs.errors import InputError, Problem

if TYPE_CHECKING:
    from colony.lifecycle.prepare import Plan

__all__ = ["HelmRelease", "Seen", "decide", "find_layers", "look", "take_over_releases"]

DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments", True)
ADMISSION = "admissionregistration.k8s.io/v1"
WEBHOOKS = (
    Resource(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False),
    Resource(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False),
)
RELEASE = "kubernetes:helm.sh/v3:Release"
BY_ITSELF = {Standing.SAME: Deed.KEEP, Standing.NEWER: Deed.KEEP}
"""What is done where the spec says nothing; the others are refused."""

Found = dict[str, dict[str, FoundLayer]]


@dataclass(frozen=True)
class HelmRelease:
    """One that Helm's records name, in its last version."""

    namespace: str
    name: str
    chart: str
    version: str


@dataclass(frozen=True)
class Seen:
    """A cluster at one moment."""

    releases: list[HelmRelease]
    crds: frozenset[str]
    deployments: frozenset[str]
    ruled: frozenset[str]
    """API groups that some webhook has rules for."""


def find_layers(ground: Ground, plan: Plan, tell: Tell) -> Plan:
    """The plan, with what is done about each layer that is there; an earlier `up` has decided it
    for good. Raises InputError for what may not be touched without a word from the user."""
    spec, placement = plan.spec, plan.placement
    before = _before(ground, spec.name)
    found: Found = {}
    brought: dict[str, Foreseen] = {}
    for place in placement.clusters:
        if place.cloud != Cloud.EXISTING.value or not ground.installs:
            continue
        kubeconfig = ground.kubeconfig(plan.kubeconfigs.get(place.name, ""))
        if not kubeconfig:
            continue
        jobs = [job for job in spec.jobs if placement.jobs.get(job.name) == place.name]
        chosen = chosen_layers(spec, place, jobs)
        known = before.get(place.name, {})
        seen = look(KubeApi(kubeconfig))
        decided = decide(chosen, seen, _ours(ground, spec.name), known)
        for name, each in decided.items():
            tell(f"layer {name} is on {place.name} already ({_told(each)}): {each.deed.value}")
        if decided:
            found[place.name] = decided
        brought[f"existing/{place.context}"] = foreseen(as_found(chosen, decided)[0], seen.crds)
    return replace(plan, found=found, brought=brought)


def look(api: KubeApi) -> Seen:
    """Raises ColonyError where the cluster does not answer."""
    hooks = [hook for kind in WEBHOOKS for each in api.listed(kind)
             for hook in each.get("webhooks") or []]  # fmt: skip
    rules = [rule for hook in hooks for rule in hook.get("rules") or []]
    return Seen(
        _releases(api.listed(SECRETS, selector="owner=helm")),
        frozenset(each["metadata"]["name"] for each in api.listed(CRDS)),
        frozenset(each["metadata"]["name"] for each in api.listed(DEPLOYMENTS)),
        frozenset(group for rule in rules for group in rule.get("apiGroups") or []),
    )


def decide(
    chosen: list[ChosenLayer],
    seen: Seen,
    ours: set[tuple[str, str]],
    before: Mapping[str, FoundLayer] | None = None,
) -> dict[str, FoundLayer]:
    """`ours` are the releases of this colony's own state, (namespace, name)."""
    problems: list[Problem] = []
    found: dict[str, FoundLayer] = {}
    for each in chosen:
        if before and each.name in before:
            found[each.name] = before[each.name]
            continue
        standing = _standing(each.layer, seen, ours)
        if standing is None:
            continue
        deed = _deed(each, standing)
        if isinstance(deed, Problem):
            problems.append(deed)
        else:
            found[each.name] = standing.model_copy(update={"deed": deed})
    if problems:
        raise InputError(*problems)
    return found


def take_over_releases(ground: Ground, plan: Plan, tell: Tell) -> None:
    """Before the first `up`: Helm's own records of what is adopted go, and our release, of the same
    name, takes its objects over (Helm does so by the name and namespace in their annotations)."""
    for cluster, layers in plan.found.items():
        adopted = {n: each for n, each in layers.items() if each.deed is Deed.ADOPT}
        for name, each in adopted.items():
            if (each.namespace, each.release) in _ours(ground, plan.spec.name):
                continue
            tell(f"layer {name}: the release {each.namespace}/{each.release} is taken over")
            api = KubeApi(ground.kubeconfig(plan.kubeconfigs.get(cluster, "")))
            selector = f"owner=helm,name={each.release}"
            for secret in api.listed(SECRETS, each.namespace, selector):
                api.delete(SECRETS, each.namespace, secret["metadata"]["name"])


def _before(ground: Ground, stack: str) -> Found:
    if stack not in ground.engine.stacks():
        return {}
    recorded = json.loads(ground.engine.config(stack).get("colony:found") or "{}")
    found = Recorded.model_validate(recorded)
    return {cluster: found.of(cluster) for cluster in found.clusters}


def _ours(ground: Ground, stack: str) -> set[tuple[str, str]]:
    """Those too that an `up` was making when it died: the state has them as pending only."""
    if stack not in ground.engine.stacks():
        return set()
    deployment = ground.engine.export(stack)
    half_made = [each["resource"] for each in deployment.get("pending_operations") or []]
    inputs = [
        plain(each.get("inputs") or {})
        for each in [*resources(deployment), *half_made]
        if each["type"] == RELEASE
    ]
    return {(str(each.get("namespace")), str(each.get("name"))) for each in inputs}


def _standing(layer: charts.Layer, seen: Seen, ours: set[tuple[str, str]]) -> FoundLayer | None:
    chart = layer.chart.rstrip("/").rsplit("/", 1)[-1]
    for release in seen.releases:
        if release.chart == chart:
            if (release.namespace, release.name) in ours:
                return None
            return FoundLayer(
                standing=_compared(release.version, layer.version), deed=Deed.KEEP,
                release=release.name, namespace=release.namespace, version=release.version,
            )  # fmt: skip
    crds = seen.crds.intersection(layer.provides.crds)
    groups = {name.partition(".")[2] for name in crds}
    alive = seen.ruled & groups or _named(layer, seen.deployments)
    if crds and alive:
        return FoundLayer(standing=Standing.FOREIGN, deed=Deed.KEEP)
    return None


def _named(layer: charts.Layer, deployments: Iterable[str]) -> bool:
    expected = set(layer.health.deployments) if layer.health else set()
    return any(name in expected or layer.name in name for name in deployments)


def _deed(chosen: ChosenLayer, found: FoundLayer) -> Deed | Problem:
    name, wanted = chosen.name, chosen.choice.existing
    where = f"layers.{name}.existing"
    if wanted is Existing.KEEP:
        return Deed.KEEP
    if wanted is Existing.ADOPT:
        if found.standing is Standing.FOREIGN:
            hint = "`keep` uses it as it is; or take it out yourself"
            return Problem(where, f"{name} is there, but not by Helm: it cannot be adopted", hint)
        if found.standing is Standing.NEWER:
            hint = f"`keep` it, or set layers.{name}.version to {found.version}"
            return Problem(where, f"{name} {found.version} is newer: that would set it back", hint)
        return Deed.ADOPT
    if wanted is None and found.standing in BY_ITSELF:
        return BY_ITSELF[found.standing]
    hint = "`keep` uses it as it is"
    if found.standing in (Standing.OLDER, Standing.SAME):
        hint += ", `adopt` takes it over (it then ends with the colony)"
    return Problem(where, f"{name} is on the cluster already ({_told(found)})", hint)


def _told(found: FoundLayer) -> str:
    if found.standing is Standing.FOREIGN:
        return "not installed by Helm"
    return f"release {found.namespace}/{found.release} {found.version}, {found.standing.value}"


def _releases(secrets: list[dict[str, Any]]) -> list[HelmRelease]:
    last: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for secret in secrets:
        labels, space = secret["metadata"]["labels"], secret["metadata"]["namespace"]
        key, version = (space, str(labels.get("name"))), int(labels.get("version") or 0)
        if labels.get("status") != "superseded" and version >= last.get(key, (0, {}))[0]:
            last[key] = version, secret
    return [_release(*key, secret) for key, (_, secret) in sorted(last.items())]


def _release(namespace: str, name: str, secret: dict[str, Any]) -> HelmRelease:
    metadata = (opened(secret).get("chart") or {}).get("metadata") or {}
    return HelmRelease(namespace, name, str(metadata.get("name")), str(metadata.get("version")))


def _compared(there: str, ours: str) -> Standing:
    have, want = _numbers(there), _numbers(ours)
    if have == want:
        return Standing.SAME
    return Standing.NEWER if have > want else Standing.OLDER


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0]))

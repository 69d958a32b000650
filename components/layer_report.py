"""The stack of a cluster as it would be installed, in words: for plans. Pure: no pulumi."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import charts
from components.checks import Cluster, errors, warnings
from components.layer_choice import ChosenLayer, chosen_layers
from components.placement import ClusterPlacement
from components.site import image_facts, site_of
from components.spec import Cloud, ColonySpec
from jobs.errors import Problem
from jobs.spec import Job

__all__ = ["checked_cluster", "driver_of", "report", "stack"]

LONG = 200
"""Characters of a text from which on only its digest is shown."""


def checked_cluster(
    spec: ColonySpec,
    placement: ClusterPlacement,
    jobs: list[Job],
    layers: list[ChosenLayer],
    image: str | None = None,
    kept: Collection[str] = (),
) -> Cluster:
    """What the checks look at. `kept` are layers that an existing cluster has by itself."""
    site, names = site_of(placement, jobs, image), {job.name for job in jobs}
    places = [place for place, job in enumerate(spec.jobs) if job.name in names]
    return Cluster(site, layers, list(placement.pools), jobs, places, frozenset(kept))


def report(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job], image: str | None = None
) -> dict[str, Any]:
    """One cluster's stack, and what the checks say of it.

    What a cluster of the user's has already is seen when it comes up: until then nothing is
    refused there, and what may be wrong is a warning. InputError: as `chosen_layers`.
    """
    chosen = chosen_layers(spec, placement, jobs, image)
    cluster = checked_cluster(spec, placement, jobs, chosen, image)
    wrong, doubtful = errors(cluster), warnings(cluster)
    if placement.cloud == Cloud.EXISTING.value:
        wrong, doubtful = [], [*wrong, *doubtful]
    return {
        "cluster": placement.name,
        **stack(cluster),
        "errors": [_plain(problem) for problem in wrong],
        "warnings": [_plain(problem) for problem in doubtful],
    }


def stack(cluster: Cluster) -> dict[str, Any]:
    """Node image, driver, and every layer in order with its values and the reason for each."""
    facts = image_facts(cluster.site.node_image)
    return {
        "cloud": cluster.site.cloud,
        "kubernetes": cluster.site.kubernetes or None,
        "node_image": {"name": cluster.site.node_image, "title": facts["title"]},
        "driver": driver_of(cluster),
        "layers": [_layer(chosen, cluster) for chosen in cluster.layers],
    }


def driver_of(cluster: Cluster) -> dict[str, str] | None:
    """Version and who brings it; None without GPUs."""
    if not cluster.site.vendors:
        return None
    if cluster.value("gpu-operator", "driver.enabled", False):
        return {"version": cluster.value("gpu-operator", "driver.version"), "by": "gpu-operator"}
    return {"version": image_facts(cluster.site.node_image).get("driver", ""), "by": "node image"}


def _layer(chosen: ChosenLayer, cluster: Cluster) -> dict[str, Any]:
    layer = chosen.layer
    names = frozenset(each.name for each in cluster.layers)
    site = cluster.site.model_copy(update={"layers": names})
    why = charts.reasons(layer, site, chosen.choice.values)
    return {
        "name": layer.name,
        "version": layer.version,
        "why": _why(chosen, cluster),
        "chart": f"{layer.repository} {layer.chart}" if layer.repository else layer.chart,
        "namespace": layer.namespace,
        "needs": [name for name in [*layer.needs, *layer.after] if name in names],
        "values": [
            {"path": path, "value": _short(value), **why[path].model_dump()}
            for path, value in sorted(charts.flat(chosen.values))
            if path in why
        ],
        "before": [_named(manifest) for manifest in chosen.before],
        "after": [_named(manifest) for manifest in chosen.after],
    }


def _why(chosen: ChosenLayer, cluster: Cluster) -> str:
    """What in the cluster asks for the layer."""
    layer, site = chosen.layer, cluster.site
    users = [each.name for each in cluster.layers if layer.name in each.layer.needs]
    if chosen.choice.chart:
        return "your own chart"
    if not charts.fits(layer, site):
        need = "need" if len(users) > 1 else "needs"
        return f"{', '.join(users)} {need} it" if users else "the spec names it"
    met = {
        charts.When.ALWAYS: ["every cluster"],
        charts.When.GPU: [f"{each} GPUs" for each in _met(site.vendors, layer.vendors)],
        charts.When.BACKEND: [f"{each} jobs" for each in _met(site.backends, layer.backends)],
        charts.When.FABRIC: [f"{each} network" for each in _met(site.fabrics, layer.fabrics)],
    }
    return ", ".join(met[layer.when])


def _met(have: Collection[str], served: list[str]) -> list[str]:
    return sorted(set(have).intersection(served))


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONG:
        digest = hashlib.sha256(value.encode()).hexdigest()[:12]
        return f"{len(value.splitlines())} lines, sha256 {digest}"
    return value


def _named(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def _plain(problem: Problem) -> dict[str, str]:
    return {"path": problem.path, "message": problem.message, "hint": problem.hint}

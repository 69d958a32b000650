"""Two of a thing of which there may be one, and what would be left without its controller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import charts
from components.checks.cluster import Cluster, at
from components.layer_choice import ChosenLayer
from jobs.data import parse
from jobs.errors import Problem
from jobs.spec import Backend

__all__ = ["brings", "orphans", "pods_unqueued", "two_owners", "two_schedulers"]


def two_schedulers(cluster: Cluster) -> Iterator[Problem]:
    owners = {
        scheduler: layer.name for layer in _kept(cluster) for scheduler in layer.provides.schedulers
    }
    for chosen in cluster.layers:
        for name in chosen.layer.provides.schedulers:
            if name in owners:
                yield Problem(f"layers.{chosen.name}", f"{owners[name]} is scheduler {name!r} too")
            owners[name] = chosen.name
    if cluster.layer("kueue") is None:
        return
    gang = cluster.value("kuberay", "batchScheduler.name", "")
    if gang:
        yield Problem(
            "layers.kuberay.values.batchScheduler.name",
            f"{gang} and Kueue would both hold a RayJob's pods",
            'batchScheduler.name: "", or layers.kueue: off',
        )
    config = _kueue(cluster)
    grabs = config.get("manageJobsWithoutQueueName") and "pod" in _frameworks(config)
    if grabs and any(job.backend is Backend.VOLCANO for job in cluster.jobs):
        yield Problem(
            "layers.kueue.values.managerConfig.controllerManagerConfigYaml",
            "Kueue would hold the pods that Volcano schedules",
            "manageJobsWithoutQueueName: false",
        )


def two_owners(cluster: Cluster) -> Iterator[Problem]:
    owners = {crd: layer.name for layer in _kept(cluster) for crd in layer.provides.crds}
    for chosen in cluster.layers:
        for crd, where in brings(chosen):
            if crd in owners and owners[crd] != chosen.name:
                yield Problem(where, f"{crd} is owned by {owners[crd]} already")
            owners.setdefault(crd, chosen.name)


def orphans(cluster: Cluster) -> Iterator[Problem]:
    """Custom resources whose controller would be gone before them: their finalizer would stay."""
    controllers = {
        (group, kind): chosen.name
        for chosen in cluster.layers
        for kind in chosen.layer.provides.finalizers
        for group in {crd.partition(".")[2] for crd in chosen.layer.provides.crds}
    }
    first = {chosen.name: chosen.layer for chosen in cluster.layers}
    for chosen in cluster.layers:
        safe = {chosen.name: chosen.after, "": chosen.before}
        for own, manifests in safe.items():
            for manifest in manifests:
                group = manifest["apiVersion"].rpartition("/")[0]
                owner = controllers.get((group, manifest["kind"]))
                if owner and owner != own and owner not in _all_needs(chosen.layer, first):
                    yield Problem(
                        f"layers.{chosen.name}",
                        f"its {manifest['kind']} would outlive its controller {owner}, "
                        "whose finalizer nobody then takes off",
                        f"needs: [{owner}]",
                    )


def pods_unqueued(cluster: Cluster) -> Iterator[Problem]:
    if cluster.layer("kueue") is None or "pod" in _frameworks(_kueue(cluster)):
        return
    for index, job in enumerate(cluster.jobs):
        if job.queue and job.elastic:
            yield Problem(
                f"{cluster.job_path(index)}.queue",
                "its workers are plain pods, which Kueue admits only with its `pod` integration",
                "add `pod` to integrations.frameworks of layers.kueue, or leave `elastic` out",
            )


def _kept(cluster: Cluster) -> Iterator[charts.Layer]:
    known = charts.load()
    yield from (known[name] for name in sorted(cluster.kept) if name in known)


def _kueue(cluster: Cluster) -> dict[str, Any]:
    text = cluster.value("kueue", "managerConfig.controllerManagerConfigYaml", "")
    found = parse(text) if isinstance(text, str) else text
    return found if isinstance(found, dict) else {}


def _frameworks(config: Mapping[str, Any]) -> list[str]:
    found: list[str] = at(config, "integrations.frameworks", [])
    return found


def brings(chosen: ChosenLayer) -> Iterator[tuple[str, str]]:
    """CRD and where it was said, those that a switch brings along included."""
    yield from ((crd, f"layers.{chosen.name}") for crd in chosen.layer.provides.crds)
    for path, crds in chosen.layer.bundles.items():
        if at(chosen.values, path, False):
            yield from ((crd, f"layers.{chosen.name}.values.{path}") for crd in crds)


def _all_needs(layer: charts.Layer, layers: Mapping[str, charts.Layer]) -> set[str]:
    todo, found = list(layer.needs), set(layer.needs)
    while todo:
        needs = layers[name].needs if (name := todo.pop()) in layers else []
        todo += [need for need in needs if need not in found]
        found |= set(needs)
    return found

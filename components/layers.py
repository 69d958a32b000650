"""A layer as a Helm release: real Helm, pinned, atomic, bounded."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

import charts
from components.clusters.base import Cluster
from components.layer_choice import ChosenLayer, early_layers
from components.objects import KubernetesObject, inside, name_of
from jobs.errors import InputError, Problem

__all__ = ["build_layers"]

SLACK = 300
"""Seconds the engine waits longer than Helm, so that Helm's own words are seen."""


Logins = pulumi.Input[dict[str, str]] | None
"""Layer -> password of its private repository."""


def build_layers(
    name: str, cluster: Cluster, layers: list[ChosenLayer], logins: Logins = None
) -> dict[str, pulumi.Resource]:
    """The releases by layer, each after what it needs. `layers` are in order."""
    releases: dict[str, pulumi.Resource] = {}
    early = early_layers(layers)
    for chosen in layers:
        before = [*chosen.layer.needs, *chosen.layer.after]
        needs = [releases[each] for each in before if each in releases]
        release = _release(name, cluster, chosen, needs, logins, chosen.name in early)
        releases[chosen.name] = release
        for manifest in chosen.after:
            opts = inside(cluster, [release], chosen.name in early)
            KubernetesObject(name_of(name, manifest), manifest, opts)
    return releases


def _release(
    name: str,
    cluster: Cluster,
    chosen: ChosenLayer,
    needs: list[pulumi.Resource],
    logins: Logins,
    early: bool,
) -> pulumi.Resource:
    layer, choice = chosen.layer, chosen.choice
    first = _namespace(name, cluster, chosen, early)
    opts = inside(cluster, [*needs, *first], early)
    limit = f"{layer.timeout + SLACK}s"
    release: pulumi.Resource = kubernetes.helm.v3.Release(
        f"{name}-{layer.name}",
        name=chosen.release or layer.name,
        chart=charts.reference(layer),
        version=layer.version,
        repository_opts=_repository(chosen, logins),
        namespace=layer.namespace,
        create_namespace=choice.create_namespace and not first,
        atomic=choice.atomic,
        cleanup_on_fail=True,
        skip_await=not choice.wait,
        skip_crds=choice.skip_crds,
        timeout=layer.timeout,
        values=chosen.values,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit, delete=limit)
            ),
        ),
    )
    return release


def _repository(chosen: ChosenLayer, logins: Logins) -> dict[str, Any] | None:
    """Where the chart is, and how to get in: the password is a secret wherever it is kept."""
    layer, login = chosen.layer, chosen.choice.login
    if not layer.repository:
        return None
    if login is None:
        return {"repo": layer.repository}
    if logins is None:
        raise InputError(
            Problem(f"layers.{layer.name}.login", "the stack config has no passwords of it",
                    "colony up")
        )  # fmt: skip
    password = pulumi.Output.secret(logins).apply(lambda known: known[layer.name])
    return {"repo": layer.repository, "username": login.username, "password": password}


def _namespace(
    name: str, cluster: Cluster, chosen: ChosenLayer, early: bool
) -> list[pulumi.Resource]:
    """Made by the release, but for two cases: something must be in it first, or the cluster stays
    (Helm leaves the namespaces that it makes, and ours must go)."""
    layer = chosen.layer
    owned = cluster.owner is not None
    if (owned and not chosen.before) or not chosen.choice.create_namespace:
        return []
    metadata: dict[str, Any] = {"name": layer.namespace, "labels": layer.namespace_labels}
    made: list[pulumi.Resource] = [
        kubernetes.core.v1.Namespace(
            f"{name}-{layer.namespace}", metadata=metadata, opts=inside(cluster, [], early)
        )
    ]
    for manifest in chosen.before:
        opts = inside(cluster, list(made[:1]), early)
        made.append(KubernetesObject(name_of(name, manifest), manifest, opts))
    return made

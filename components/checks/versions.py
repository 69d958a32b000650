"""Versions and places that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

import charts
from components.checks.cluster import Cluster
from jobs.errors import Problem

__all__ = ["dra_too_early", "unpinned_override", "unplaced", "untested_version"]

DRA_SINCE = (1, 34)


def dra_too_early(cluster: Cluster) -> Iterator[Problem]:
    version = _version(cluster.site.kubernetes)
    if not version or version >= DRA_SINCE:
        return
    ours = cluster.value("gpu-operator", "gpuCluster.deployCR", False)
    paths = ["layers.gpu-operator.values.gpuCluster.deployCR"] if ours else []
    own = [each for each in cluster.layers if "dra-driver" in each.layer.chart]
    for path in [*paths, *(f"layers.{each.name}" for each in own)]:
        yield Problem(
            path,
            f"dynamic resource allocation is stable from Kubernetes 1.34 on, "
            f"and this is {cluster.site.kubernetes}",
            "kubernetes: '1.34', or the device plugin",
        )


def unplaced(cluster: Cluster) -> Iterator[Problem]:
    """A layer named on a cloud where it cannot run."""
    for chosen in cluster.layers:
        clouds = chosen.layer.clouds
        if clouds and cluster.site.cloud not in clouds:
            yield Problem(f"layers.{chosen.name}", f"is for {', '.join(clouds)} only", "off")


def untested_version(cluster: Cluster) -> Iterator[Problem]:
    version = _version(cluster.site.kubernetes)
    for chosen in cluster.layers:
        asked = chosen.layer.kubernetes
        if version and asked and not _within(version, asked):
            yield Problem(
                f"layers.{chosen.name}",
                f"{chosen.layer.version} is for Kubernetes {asked}, "
                f"and this is {cluster.site.kubernetes}",
            )


def unpinned_override(cluster: Cluster) -> Iterator[Problem]:
    """A version other than the one whose values were checked."""
    for chosen in cluster.layers:
        pinned = charts.load().get(chosen.name)
        if pinned and chosen.layer.version != pinned.version:
            yield Problem(
                f"layers.{chosen.name}.version",
                f"its values were checked with {pinned.version} only",
            )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2]) if text else ()


def _within(version: tuple[int, ...], asked: str) -> bool:
    """`>=1.33,<1.37`."""
    for part in asked.split(","):
        bound = _version(part.strip().lstrip("<>="))
        if part.startswith(">=") and version < bound:
            return False
        if part.startswith("<") and version >= bound:
            return False
    return True

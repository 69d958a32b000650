"""Kubeconfigs of the user's own clusters: read by the command line, never at program time."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from components.placement import Placement
from components.spec import Cloud, ClusterSpec, ColonySpec
from jobs.errors import InputError, Problem

__all__ = ["in_context", "kubeconfigs_of", "with_contexts"]


def with_contexts(spec: ColonySpec) -> tuple[ColonySpec, list[str]]:
    """The colony with the current context written where an `existing` cluster names none.

    Returns what was resolved, to be shown. Raises InputError without a current context.
    """
    resolved, notes = [], []
    for index, cluster in enumerate(spec.clusters):
        if cluster.cloud is not Cloud.EXISTING or cluster.context:
            resolved.append(cluster)
            continue
        path = _path(cluster)
        context = _read(path, f"clusters[{index}]").get("current-context")
        if not context:
            hint = "name one in the file"
            raise InputError(Problem(f"clusters[{index}].context", f"{path} has none set", hint))
        notes.append(f"cluster {cluster.name} is the current context of {path}: {context}")
        resolved.append(cluster.model_copy(update={"context": context}))
    return spec.model_copy(update={"clusters": resolved}), notes


def kubeconfigs_of(spec: ColonySpec, placement: Placement) -> dict[str, str]:
    """Existing cluster -> its kubeconfig's text, whose current context is the cluster's. Raises
    InputError for an unknown context."""
    given = {cluster.name: cluster for cluster in spec.clusters}
    found = {}
    for placed in placement.clusters:
        if placed.cloud != "existing":
            continue
        path = _path(given.get(placed.name))
        content = _read(path, f"clusters.{placed.name}")
        names = [each.get("name") for each in content.get("contexts") or []]
        if placed.context not in names:
            hint = f"it has {', '.join(map(str, names)) or 'none'}"
            message = f"{path} has no context `{placed.context}`"
            raise InputError(Problem(f"clusters.{placed.name}.context", message, hint))
        found[placed.name] = in_context(path.read_text(), placed.context)
    return found


def in_context(kubeconfig: str, context: str | None) -> str:
    """The text with that context as its current one: whoever reads it reaches that cluster,
    whatever the user's current one is. What is no kubeconfig stays."""
    with suppress(yaml.YAMLError):
        content = yaml.safe_load(kubeconfig)
        if context and isinstance(content, dict):
            return yaml.safe_dump({**content, "current-context": context})
    return kubeconfig


def _path(cluster: ClusterSpec | None) -> Path:
    if cluster and cluster.kubeconfig:
        return Path(cluster.kubeconfig).expanduser()
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named or "~/.kube/config").expanduser()


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        hint = "set KUBECONFIG, or `kubeconfig:` in the file"
        raise InputError(Problem(where, f"cannot read {path}: {error}", hint)) from None
    return content if isinstance(content, dict) else {}

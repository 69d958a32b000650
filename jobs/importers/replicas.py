"""Kubeflow's ReplicaSpec: a role with replicas, a pod and a restart policy."""

from __future__ import annotations

from typing import Any

from jobs.importers.draft import Draft
from jobs.importers.pods import role_of
from jobs.importers.run_policy import restart

__all__ = ["add_role"]


def add_role(
    draft: Draft, name: str, spec: dict[str, Any], path: str, *,
    command: bool = True, default_restart: str = "", main: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """The role's fields, which are in `draft.data["roles"]` too."""
    ours = f"roles.{name}"
    names = [*main, *draft.format.facts.get("main_containers", ())]
    draft.paths[ours] = path
    role = role_of(draft, ours, f"{path}.template", spec.get("template"), names, command)
    replicas = spec.get("replicas")
    draft.paths[f"{ours}.replicas"] = f"{path}.replicas"
    role["replicas"] = 1 if replicas is None else replicas
    restart(draft, role, spec.get("restartPolicy"), f"{path}.restartPolicy", default_restart)
    draft.data.setdefault("roles", {})[name] = role
    return role

"""A worker's pod: the template of the job with its own name, index and owner."""

from __future__ import annotations

import copy
from typing import Any

from colony.agent.model import Spec

__all__ = ["INDEX", "INDEX_LABEL", "worker_pod"]

INDEX = "COLONY_POD_INDEX"
INDEX_LABEL = "colony.dev/worker-index"


def worker_pod(spec: Spec, name: str, index: int, owner: dict[str, Any]) -> dict[str, Any]:
    """`owner` is the ConfigMap of the job's spec: without it the pods are garbage."""
    template = copy.deepcopy(spec.template)
    metadata, pod = template.get("metadata") or {}, template["spec"]
    labels = {**(metadata.get("labels") or {}), INDEX_LABEL: str(index)}
    pod["hostname"], pod["subdomain"] = name, spec.job
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        others = [each for each in container.get("env") or [] if each["name"] != INDEX]
        container["env"] = [{"name": INDEX, "value": str(index)}, *others]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": pod,
    }

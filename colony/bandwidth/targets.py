"""What is measured: the pools with GPUs of a colony's clusters, and the job for each. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.clusters.base import POOL_LABEL
from components.placement import ClusterPlacement
from jobs.backends import render
from jobs.context import JobContext
from jobs.frameworks import complete
from jobs.gate.models import labels, model_of
from jobs.gate.nodes import Node, nodes_of
from jobs.rdma import rdma_for
from jobs.spec import Job

__all__ = ["FACTS", "Target", "bought", "check_job", "manifests", "seen"]

FACTS = "colony.dev/check"
"""Annotation of the workload: what it is run on, as JSON."""
MEASURE = 300
"""Seconds that a measurement may take once it runs."""
USUAL = 60
"""Seconds that it takes."""
LENGTH = 40
SCRIPT = """\
file=$(mktemp)
cat >"$file" <<'COLONY_CHECK'
{source}COLONY_CHECK
if python3 -c 'import torch' 2>/dev/null; then exec torchrun "$file"; fi
exec python3 "$file"
"""

Object = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """Nodes that are alike."""

    cluster: str
    cloud: str
    name: str
    nodes: int
    accelerator: str
    gpus: int
    """Of one node."""
    instance_type: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, str], ...] = ()

    @property
    def job(self) -> str:
        return f"check-{self.name}"[:LENGTH].rstrip("-")

    @property
    def facts(self) -> dict[str, Any]:
        """What a rehearsal needs to say something plausible."""
        return {
            "accelerator": self.accelerator, "gpus": self.gpus, "nodes": self.nodes,
            "instance_type": self.instance_type,
        }  # fmt: skip


def bought(placement: ClusterPlacement, pools: Iterable[Mapping[str, Any]]) -> list[Target]:
    """Of a cluster of ours. `pools`: as the stack's outputs show their labels and taints."""
    shown = {pool["name"]: pool for pool in pools}
    return [
        Target(
            placement.name, placement.cloud, pool.name, pool.nodes, pool.accelerator or "",
            pool.accelerator_count, pool.instance_type, *_way_in(shown.get(pool.name) or {}),
        )
        for pool in placement.pools
        if pool.accelerator_count and pool.nodes
    ]  # fmt: skip


def seen(placement: ClusterPlacement, objects: list[Object]) -> list[Target]:
    """Of a cluster that is not ours, by its nodes: those of one model and size are one target."""
    groups: dict[tuple[str, int], list[Node]] = {}
    for node in nodes_of(objects):
        label = next((name for name in labels()["models"] if name in node.labels), "")
        model = model_of(node.labels.get(label, ""))
        if node.gpus and model:
            groups.setdefault((model.name, node.gpus), []).append(node)
    return [
        Target(
            placement.name, placement.cloud, f"{model.lower()}-{gpus}", len(nodes), model, gpus,
            tolerations=({"operator": "Exists", "effect": "NoSchedule"},),
        )
        for (model, gpus), nodes in sorted(groups.items())
    ]  # fmt: skip


def check_job(target: Target, seconds: int) -> Job:
    """`seconds`: until all of its pods run."""
    source = Path(__file__).with_name("all_reduce.py").read_text(encoding="utf-8")
    job = Job.model_validate(
        {
            "name": target.job,
            "framework": "pytorch",
            "backend": "job",
            "nodes": target.nodes,
            "resources": {"accelerators": f"{target.accelerator}:{target.gpus}"},
            "run": SCRIPT.replace("{source}", source),
            "rdma": True if rdma_for(target.instance_type) else None,
            "max_run_time": MEASURE,
            "expected_run_time": USUAL,
            "policy": {"startup_timeout": seconds},
        }
    )
    return complete(job)


def manifests(job: Job, target: Target, colony: str) -> list[Object]:
    """In the order they are made; the workload last."""
    context = JobContext(
        colony, target.cluster, target.cloud, "",
        node_selector=dict(target.selector),
        tolerations=[dict(each) for each in target.tolerations],
        instance_type=target.instance_type if job.rdma else "",
    )  # fmt: skip
    *others, workload = render(job, context)
    metadata = workload["metadata"]
    marked = {**(metadata.get("annotations") or {}), FACTS: json.dumps(target.facts)}
    return [*others, {**workload, "metadata": {**metadata, "annotations": marked}}]


def _way_in(pool: Mapping[str, Any]) -> tuple[dict[str, str], tuple[dict[str, str], ...]]:
    """(selector, tolerations) of a pool's nodes."""
    given = pool.get("labels") or {}
    selector = {POOL_LABEL: given[POOL_LABEL]} if POOL_LABEL in given else {}
    return selector, tuple(_tolerated(taint) for taint in pool.get("taints") or [])


def _tolerated(taint: str) -> dict[str, str]:
    """`key=value:effect`, as the outputs write it."""
    key, _, rest = taint.partition("=")
    value, _, effect = rest.rpartition(":")
    return {"key": key, "operator": "Equal", "value": value, "effect": effect}

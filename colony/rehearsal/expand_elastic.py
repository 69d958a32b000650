"""The workers that Colony's agent makes of an elastic job, at the number it starts with.

Nothing scales in a rehearsal: the agent's ConfigMap is as after its first turn, with all workers
running, so that the launcher's discovery script prints them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from colony.agent.codec import read_spec, write_state
from colony.agent.model import Spec, State
from colony.rehearsal.expand import Manifest, Plan, PlannedPod

__all__ = ["with_elastic"]

SUFFIX = "-elastic-spec"


def with_elastic(plan: Plan, manifests: Sequence[Manifest]) -> Plan:
    """The plan with the agent's pods; the same where the job is not elastic."""
    for each in manifests:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == f"{plan.name}{SUFFIX}":
            return _with(plan, read_spec(each["data"]))
    return plan


def _with(plan: Plan, spec: Spec) -> Plan:
    workers = [_worker(spec, index) for index in range(spec.start)]
    names = [worker.name for worker in workers]
    live = write_state(spec, State(target=names, hosts=names, high_water=spec.start))
    return replace(
        plan,
        pods=[*plan.pods, *workers],
        config_maps={**plan.config_maps, f"{plan.name}-elastic": live},
    )


def _worker(spec: Spec, index: int) -> PlannedPod:
    name = spec.name(index)
    template = copy.deepcopy(spec.template)
    metadata = template.get("metadata") or {}
    return PlannedPod(
        role=spec.role,
        group=spec.role,
        index=index,
        name=name,
        hosts=(spec.host(name),),
        labels=dict(metadata.get("labels") or {}),
        annotations=dict(metadata.get("annotations") or {}),
        spec=template["spec"],
        by_agent=True,
        env=({"name": "COLONY_POD_INDEX", "value": str(index)},),
    )

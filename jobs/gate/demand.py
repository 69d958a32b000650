"""What a job asks of a cluster: so many pods of each kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from jobs.gate.nodes import CPU, MEMORY
from jobs.quantities import parse_accelerators, parse_cpus, parse_memory
from jobs.roles import Member, members
from jobs.spec import Job

__all__ = ["Demand", "demands_of"]


@dataclass(frozen=True)
class Demand:
    """`replicas` pods that all ask for the same."""

    replicas: int
    asks: Mapping[str, Decimal]
    """Of one pod, by Kubernetes' names."""
    model: str = ""
    """Of the GPUs; empty = any of the resource."""
    resource: str = ""
    """Of the GPUs: `nvidia.com/gpu`; empty without."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels that the node must have."""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    role: str = ""

    @property
    def gpus(self) -> int:
        """Of one pod."""
        return int(self.asks.get(self.resource, 0)) if self.resource else 0


def demands_of(job: Job) -> list[Demand]:
    """One a role; where less than all start together, only as many pods as must.

    Raises InputError where the job does not fit together.
    """
    found = members(job)
    left = job.policy.gang or sum(member.replicas for member in found)
    tolerations = [each.model_dump(exclude_none=True) for each in job.tolerations]
    resources = {member.gpu_resource for member in found if member.gpu_resource}
    tolerations += [{"key": name, "operator": "Exists"} for name in sorted(resources)]
    demands = []
    for member in found:
        pods = min(left, member.replicas)
        left -= pods
        if pods:
            demands.append(replace(_demand(member, tolerations), replicas=pods))
    return demands


def _demand(member: Member, tolerations: Iterable[Mapping[str, Any]]) -> Demand:
    spec, need = member.template.get("spec") or {}, member.resources
    asks: dict[str, Decimal] = {}
    if need.cpus:
        asks[CPU] = Decimal(str(parse_cpus(need.cpus).value))
    if need.memory:
        asks[MEMORY] = Decimal(str(parse_memory(need.memory).value)) * 2**30
    if member.gpus:
        asks[member.gpu_resource] = Decimal(member.gpus)
    accelerators = need.accelerators
    return Demand(
        replicas=member.replicas,
        asks=asks,
        model=parse_accelerators(accelerators)[0] if accelerators else "",
        resource=member.gpu_resource,
        selector=spec.get("nodeSelector") or {},
        tolerations=(*tolerations, *(spec.get("tolerations") or ())),
        role=member.name,
    )

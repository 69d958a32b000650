"""One role of a job with everything filled in: what back ends, state and the agent work with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from jobs.accelerators import find
from jobs.policy import Pods, Restart
from jobs.quantities import parse_accelerators
from jobs.resources import Resources
from jobs.role import Dependency

__all__ = ["Member", "gpus"]


@dataclass(frozen=True)
class Member:
    """One role: `replicas` pods (nodes) of one template. `gpus` and `processes` are per pod."""

    name: str
    replicas: int
    gpus: int
    processes: int
    resources: Resources
    envs: dict[str, str]
    gpu_resource: str = ""
    """`nvidia.com/gpu`; empty without GPUs."""
    image: str | None = None
    setup: str | None = None
    run: str | None = None
    restart: Restart = Restart.NEVER
    depends_on: tuple[Dependency, ...] = ()
    ports: dict[str, int] = field(default_factory=dict)
    host_network: bool = False
    failed: Pods = Pods.ANY
    succeeded: Pods = Pods.ALL
    node_down_as_failed: bool = False
    template: dict[str, Any] = field(default_factory=dict)
    elastic: bool = False
    """Its pods come and go, kept by the agent: it is no part of the workload object."""
    launcher: bool = False
    """Starts the processes of the others and trains nothing itself."""


def gpus(resources: Resources) -> tuple[str, int]:
    """(Kubernetes resource, whole GPUs of a node): `L4:0.5` is one, Kubernetes gives no parts."""
    if not resources.accelerators:
        return "", 0
    name, count = parse_accelerators(resources.accelerators)
    found = find(name)
    return found.resource if found else "", math.ceil(count)

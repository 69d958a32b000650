"""What a pod must say to use its machine's network directly, by instance type (rdma.yaml)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobs.data import load
from jobs.errors import InputError, Problem

__all__ = ["Rdma", "rdma_for", "rdma_of"]


@dataclass(frozen=True)
class Rdma:
    """One kind of machine. The requests are limits too: Kubernetes gives no parts of a device."""

    instance_type: str
    gpus: int
    source: str
    """Where the facts are from."""
    group: str = ""
    """The kind of network: `efa`, `infiniband`, `gib`."""
    needs: str = ""
    """What the cluster must have, in words."""
    devices: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    memory: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    host_paths: dict[str, str] = field(default_factory=dict)
    """Folder in the pod -> folder of the node."""
    annotations: dict[str, str] = field(default_factory=dict)

    def requests(self, gpus: int) -> dict[str, str]:
        """Of a pod with so many of the machine's GPUs: its share of the devices, at least one."""
        share = {name: max(1, count * gpus // self.gpus) for name, count in self.devices.items()}
        whole = {name: str(count) for name, count in {**share, **self.shared}.items()}
        return {**whole, **self.memory}


def rdma_for(instance_type: str) -> Rdma | None:
    """What is known of a machine; None = it has no such network, or we do not know it."""
    table = load("rdma.yaml")
    row = table["machines"].get(instance_type)
    if row is None:
        return None
    group: dict[str, Any] = table["groups"][row["group"]]
    merged = {**group, **row, "env": {**group["env"], **row.get("env", {})}}
    return Rdma(instance_type, **{**merged, "capabilities": tuple(merged["capabilities"])})


def rdma_of(wanted: bool | None, instance_type: str, gpus: int) -> Rdma | None:
    """Of a pod with `gpus` on that machine: `wanted` is the job's `rdma`.

    None = the plain network: not wanted, no GPUs, or none there. Raises InputError where it must
    be had and is not known of the machine.
    """
    if wanted is False or not gpus:
        return None
    found = rdma_for(instance_type)
    if wanted and found is None:
        machine = instance_type or "a machine that is not known yet"
        hint = "leave it out: then it is used where it is there"
        raise InputError(Problem("rdma", f"no RDMA is known of {machine}", hint))
    return found

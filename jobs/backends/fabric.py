"""What a pod needs to use the network of its machine directly (jobs/rdma.yaml)."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.backends.volumes import Mount
from jobs.context import JobContext
from jobs.member import Member
from jobs.rdma import rdma_of
from jobs.spec import Job

__all__ = ["Fabric", "fabric_of"]


@dataclass(frozen=True)
class Fabric:
    """Of a role's pod; the resources are requests and limits."""

    resources: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict)


def fabric_of(job: Job, role: Member, context: JobContext) -> Fabric:
    """NCCL pins memory with any network, so IPC_LOCK is for every container with GPUs.

    Raises InputError where RDMA must be had and the machine is not known to have it.
    """
    pinning = ("IPC_LOCK",) if role.gpus else ()
    rdma = rdma_of(job.rdma, context.instance_type, role.gpus)
    if rdma is None:
        return Fabric(capabilities=pinning)
    return Fabric(
        resources=rdma.requests(role.gpus),
        env=rdma.env,
        capabilities=tuple(dict.fromkeys((*pinning, *rdma.capabilities))),
        mounts=tuple(
            Mount(f"rdma-{number}", inside, {"hostPath": {"path": outside}})
            for number, (inside, outside) in enumerate(rdma.host_paths.items())
        ),
        annotations=rdma.annotations,
    )

"""The environment contract: what every pod of every back end, and every local process, is given.

A pod is one node of a role. RANK is the rank of the pod's first process
(node rank x LOCAL_WORLD_SIZE where all pods are alike); a launcher such as torchrun gives each
process its own. Three groups, later ones win:

    shared      the same in every pod of a role; values in the manifest
    envs        the job's and the role's own
    per pod     follows from the pod's index and the pods' addresses; computed by the entry point

Sources of the names: https://docs.pytorch.org/docs/stable/elastic/run.html (MASTER_*, PET_*: any
option of torchrun), https://docs.skypilot.co/en/latest/running-jobs/environment-variables.html,
https://dstack.ai/docs/reference/environment-variables (DSTACK_*); the lower-case ones are what
konduktor's example reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from jobs.context import JobContext
from jobs.errors import InputError, Problem
from jobs.roles import Member, member, world_of
from jobs.spec import Job

__all__ = [
    "CHECKPOINTS", "COLONY_HOME", "MASTER_PORT", "environment", "host", "hosts", "node_rank",
    "per_pod", "shared",
]  # fmt: skip

MASTER_PORT = "29500"
"""torchrun's own default."""
COLONY_HOME = "/colony"
CHECKPOINTS = f"{COLONY_HOME}/checkpoints"

_RANK_NAMES = (
    "NODE_RANK", "node_rank", "PET_NODE_RANK", "SKYPILOT_NODE_RANK", "SKYPILOT_SETUP_NODE_RANK",
    "DSTACK_NODE_RANK",
)  # fmt: skip
_ADDRESS_NAMES = ("SKYPILOT_NODE_IPS", "SKYPILOT_SETUP_NODE_IPS", "DSTACK_NODES_IPS")
_PER_POD = frozenset((*_RANK_NAMES, *_ADDRESS_NAMES, "RANK", "DSTACK_MASTER_NODE_IP"))


def environment(
    job: Job, role: str, index: int, context: JobContext, addresses: Sequence[str] | None = None
) -> dict[str, str]:
    """Everything pod `index` of a role is given, secrets aside: the truth for every back end.

    `addresses` are those of all pods of the role's world in rank order; default: their names.
    Raises InputError for an unknown role and for envs that would contradict the contract.
    """
    return {**shared(job, role, context), **per_pod(job, role, index, addresses)}


def shared(job: Job, role: str, context: JobContext) -> dict[str, str]:
    """What is the same in every pod of a role, with the user's own envs."""
    chosen, world = member(job, role), world_of(job, role)
    _refuse_per_pod(chosen)
    master = host(job, world[0], 0)
    port = chosen.envs.get("MASTER_PORT", MASTER_PORT)
    nodes = str(sum(each.replicas for each in world))
    return {
        **_colony(job, role, context),
        "MASTER_ADDR": master,
        "MASTER_PORT": port,
        "WORLD_SIZE": str(sum(each.replicas * each.processes for each in world)),
        "LOCAL_WORLD_SIZE": str(chosen.processes),
        "PET_NNODES": nodes,
        "PET_NPROC_PER_NODE": str(chosen.processes),
        "PET_MASTER_ADDR": master,
        "PET_MASTER_PORT": port,
        "NUM_NODES": nodes,
        "NUM_GPUS_PER_NODE": str(chosen.gpus),
        "master_addr": master,
        "num_nodes": nodes,
        **_skypilot(job, chosen, nodes, context),
        "DSTACK_NODES_NUM": nodes,
        "DSTACK_GPUS_PER_NODE": str(chosen.gpus),
        "DSTACK_GPUS_NUM": str(sum(each.replicas * each.gpus for each in world)),
        **chosen.envs,
    }


def per_pod(
    job: Job, role: str, index: int, addresses: Sequence[str] | None = None
) -> dict[str, str]:
    """What follows from the pod's index; `jobs/entrypoint.sh` computes the same in the pod."""
    node, first_process = node_rank(job, role, index)
    ips = list(addresses) if addresses is not None else hosts(job, role)
    return {
        "RANK": str(first_process),
        **dict.fromkeys(_RANK_NAMES, str(node)),
        **dict.fromkeys(_ADDRESS_NAMES, "\n".join(ips)),
        "DSTACK_MASTER_NODE_IP": ips[0],
    }


def node_rank(job: Job, role: str, index: int) -> tuple[int, int]:
    """(rank of the pod among its world's pods, rank of its first process)."""
    nodes = processes = 0
    for each in world_of(job, role):
        if each.name == role:
            return nodes + index, processes + index * each.processes
        nodes += each.replicas
        processes += each.replicas * each.processes
    raise AssertionError("a role is always in its own world")


def host(job: Job, role: Member, index: int) -> str:
    """A pod's stable name under JobSet: `<job>-<role>-0-<index>.<subdomain>`.

    https://jobset.sigs.k8s.io/docs/concepts/ (network.enableDNSHostnames).
    """
    return f"{job.name}-{role.name}-0-{index}.{job.name}"


def hosts(job: Job, role: str) -> list[str]:
    """The names of all pods of a role's world, in rank order."""
    return [
        host(job, each, index) for each in world_of(job, role) for index in range(each.replicas)
    ]


def _colony(job: Job, role: str, context: JobContext) -> dict[str, str]:
    return {
        "COLONY_COLONY": context.colony,
        "COLONY_JOB": job.name,
        "COLONY_ROLE": role,
        "COLONY_CHECKPOINT_DIR": CHECKPOINTS,
        "PYTHONUNBUFFERED": "1",
    }


def _skypilot(job: Job, role: Member, nodes: str, context: JobContext) -> dict[str, str]:
    info = {
        "cluster_name": context.cluster,
        "cloud": context.cloud,
        "region": context.region,
        "zone": context.zone,
    }
    task = f"colony_{context.colony}_{job.name}"
    return {
        "SKYPILOT_NUM_NODES": nodes,
        "SKYPILOT_NUM_GPUS_PER_NODE": str(role.gpus),
        "SKYPILOT_SETUP_NUM_GPUS_PER_NODE": str(role.gpus),
        "SKYPILOT_TASK_ID": task,
        "SKYPILOT_TASK_IDS": task,
        "SKYPILOT_CLUSTER_INFO": json.dumps(info, separators=(",", ":")),
        "SKYPILOT_USER": context.owner,
    }


def _refuse_per_pod(role: Member) -> None:
    problems = [
        Problem(f"envs.{name}", "differs from pod to pod and is set by Colony", "remove it")
        for name in sorted(_PER_POD & role.envs.keys())
    ]
    if problems:
        raise InputError(*problems)

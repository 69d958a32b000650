"""The environment contract: what every pod of every back end, and every local process, is given.

A pod is one node of a role. RANK is the rank of the pod's first process
(node rank x LOCAL_WORLD_SIZE where all pods are alike); a launcher such as torchrun gives each
process its own. MASTER_ADDR is the service of rank 0 where there is one: it forwards the ports of
`service_ports` alone; `master_addr` is the pod's own name, good for every port. Groups, later ones
win:

    shared      the same in every pod of a role, then what the framework adds; in the manifest
    envs        the job's and the role's own
    per pod     follows from the pod's index and the pods' addresses, then what the framework adds
                (`jobs.frameworks.pod_env`); computed by the entry point

A launcher or scheduler is told of the world that it serves (sizes, addresses) and has rank 0 in
it without being counted.

Sources of the names: https://docs.pytorch.org/docs/stable/elastic/run.html (MASTER_*, PET_*: any
option of torchrun), https://docs.skypilot.co/en/latest/running-jobs/environment-variables.html,
https://dstack.ai/docs/reference/environment-variables (DSTACK_*); the lower-case ones are what
konduktor's example reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from jobs import frameworks
from jobs.context import JobContext
from jobs.errors import InputError, Problem
from jobs.frameworks.sizes import sizes
from jobs.frameworks.team import Team
from jobs.hosts import host, hosts_of
from jobs.member import Member
from jobs.roles import member
from jobs.spec import Job

__all__ = [
    "CHECKPOINTS", "COLONY_HOME", "MASTER_PORT", "environment", "host", "hosts", "node_rank",
    "per_pod", "service_ports", "shared",
]  # fmt: skip

MASTER_PORT = "29500"
"""torchrun's own default."""
RENDEZVOUS_PORT = 29400
"""torchrun's own default for c10d."""
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
    chosen, team = member(job, role), frameworks.team(job)
    _refuse_per_pod(chosen)
    master, port = _master(team, role), _master_port(team, role)
    return {
        **_colony(job, role, context),
        **sizes(team, role),
        "MASTER_ADDR": master,
        "MASTER_PORT": port,
        "PET_MASTER_ADDR": master,
        "PET_MASTER_PORT": port,
        "NUM_GPUS_PER_NODE": str(chosen.gpus),
        "master_addr": _first_host(team, role),
        **_skypilot(job, chosen, context),
        "DSTACK_GPUS_PER_NODE": str(chosen.gpus),
        **frameworks.shared_env(job, chosen),
        **chosen.envs,
    }


def per_pod(
    job: Job, role: str, index: int, addresses: Sequence[str] | None = None
) -> dict[str, str]:
    """What follows from the pod's index; `jobs/entrypoint.sh` computes the same in the pod."""
    node, first_process = node_rank(job, role, index)
    ips = list(addresses) if addresses is not None else hosts(job, role, index)
    own = {
        "index": str(index), "node": str(node), "rank": str(first_process),
        "host": host(job, role, index), "home": COLONY_HOME,
    }  # fmt: skip
    return {
        "RANK": str(first_process),
        **dict.fromkeys(_RANK_NAMES, str(node)),
        **dict.fromkeys(_ADDRESS_NAMES, "\n".join(ips)),
        "DSTACK_MASTER_NODE_IP": ips[0],
        **_filled(frameworks.pod_env(job, member(job, role)), own),
    }


def node_rank(job: Job, role: str, index: int) -> tuple[int, int]:
    """(rank of the pod among its world's pods, rank of its first process)."""
    team = frameworks.team(job)
    if team.alone or not team.counts(role):
        return 0, 0
    nodes = processes = 0
    for each in team.world_of(role):
        if each.name == role:
            return nodes + index, processes + index * each.processes
        nodes += each.replicas
        processes += each.replicas * each.processes
    raise AssertionError("a role that counts is in its own world")


def hosts(job: Job, role: str, index: int = 0) -> list[str]:
    """The names of all pods of the world of a role's pod, in rank order."""
    team = frameworks.team(job)
    if team.alone:
        return [host(job, role, index)]
    return [
        name for each in team.world_of(role) for name in hosts_of(job, each.name, each.replicas)
    ]


def service_ports(job: Job) -> dict[str, int]:
    """Name -> port of the ClusterIP service of rank 0: MASTER_PORT, torchrun's, its role's own.

    Raises InputError for a MASTER_PORT that is no port.
    """
    team = frameworks.team(job)
    first = team.members[team.rank0]
    port = _master_port(team, first.name)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(Problem("envs.MASTER_PORT", "must be between 1 and 65535"))
    ports = {"pytorch": int(port), "rdzv": RENDEZVOUS_PORT, **first.ports}
    return {name: number for name, number in ports.items() if _first(name, number, ports)}


def _first(name: str, number: int, ports: dict[str, int]) -> bool:
    """A service lists no port twice."""
    return next(other for other, same in ports.items() if same == number) == name


def _master(team: Team, role: str) -> str:
    return "127.0.0.1" if team.alone else team.master(role)


def _first_host(team: Team, role: str) -> str:
    return "127.0.0.1" if team.alone else host(team.job, team.worlds[role][0], 0)


def _master_port(team: Team, role: str) -> str:
    """The user's own env, or what the role of rank 0 says, or torchrun's."""
    default = str(team.master_port or MASTER_PORT)
    return team.members[role].envs.get("MASTER_PORT", default)


def _filled(values: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    """`NAME@2` is for pod 2 alone, and beats `NAME`."""
    everyone = {name: value for name, value in values.items() if "@" not in name}
    mine = {
        name.partition("@")[0]: value
        for name, value in values.items()
        if name.endswith(f"@{own['index']}")
    }
    return {name: _replaced(value, own) for name, value in {**everyone, **mine}.items()}


def _replaced(value: str, own: dict[str, str]) -> str:
    for name, text in own.items():
        value = value.replace(f"{{{name}}}", text)
    return value


def _colony(job: Job, role: str, context: JobContext) -> dict[str, str]:
    return {
        "COLONY_COLONY": context.colony,
        "COLONY_JOB": job.name,
        "COLONY_ROLE": role,
        "COLONY_CHECKPOINT_DIR": CHECKPOINTS,
        "PYTHONUNBUFFERED": "1",
    }


def _skypilot(job: Job, role: Member, context: JobContext) -> dict[str, str]:
    info = {
        "cluster_name": context.cluster,
        "cloud": context.cloud,
        "region": context.region,
        "zone": context.zone,
    }
    task = f"colony_{context.colony}_{job.name}"
    return {
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

"""How large a world is: nodes x processes, under all the names that programs read."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import Problem
from jobs.frameworks.team import Team
from jobs.member import Member

__all__ = ["check_sizes", "counted", "sizes"]

_WORLD = ("WORLD_SIZE", "PET_NNODES", "NUM_NODES")
"""An elastic world's are those at the start."""
_CHECKED = (*_WORLD, "LOCAL_WORLD_SIZE", "PET_NPROC_PER_NODE")


def sizes(team: Team, role: str) -> dict[str, str]:
    """Of the world of a role's pod."""
    chosen, world = team.members[role], counted(team, role)
    nodes = str(sum(count for _, count in world))
    return {
        "WORLD_SIZE": str(sum(each.processes * count for each, count in world)),
        "LOCAL_WORLD_SIZE": str(chosen.processes),
        "PET_NNODES": nodes,
        "PET_NPROC_PER_NODE": str(chosen.processes),
        "NUM_NODES": nodes,
        "num_nodes": nodes,
        "SKYPILOT_NUM_NODES": nodes,
        "DSTACK_NODES_NUM": nodes,
        "DSTACK_GPUS_NUM": str(sum(each.gpus * count for each, count in world)),
    }


def counted(team: Team, role: str) -> list[tuple[Member, int]]:
    """(role, pods of it) of a world; where each pod is alone, that pod."""
    if team.alone:
        return [(team.members[role], 1)]
    return [(each, each.replicas) for each in team.world_of(role)]


def check_sizes(team: Team) -> Iterator[Problem]:
    """Envs that contradict nodes x processes: the processes would wait for each other for ever.

    Words (`PET_NPROC_PER_NODE: gpu`) and ranges are torchrun's business.
    """
    for name in team.members:
        if team.counts(name):
            yield from _contradictions(team, name)


def _contradictions(team: Team, name: str) -> Iterator[Problem]:
    role, true = team.members[name], sizes(team, name)
    moving = any(each.elastic for each in team.world_of(name))
    for variable in _CHECKED:
        given = role.envs.get(variable, "")
        if given.isdigit() and given != true[variable] and not (moving and variable in _WORLD):
            own = variable in team.job.roles[name].envs
            path = f"roles.{name}.envs.{variable}" if own else f"envs.{variable}"
            hint = "leave it out: nodes and processes_per_node say it"
            message = f"is {given}, but nodes x processes makes it {true[variable]}"
            yield Problem(path, message, hint)

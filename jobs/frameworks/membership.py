"""The members and worlds of a completed job."""

from __future__ import annotations

from jobs.frameworks.base import Rules
from jobs.frameworks.team import Team
from jobs.member import Member, gpus
from jobs.policy import Pods, Restart
from jobs.role import Role
from jobs.spec import Job

__all__ = ["team_of"]


def team_of(job: Job, rules: Rules) -> Team:
    """Of a completed job."""
    members = {name: _member(job, rules, name, role) for name, role in job.roles.items()}
    world = rules.present(job)
    worlds = {
        name: world if name in world or (world and name in rules.drivers) else [name]
        for name in job.roles
    }
    first = [*world, *job.roles]
    rank0 = next((name for name in first if not members[name].elastic), first[0])
    port = rules.master_port(members[first[0]])
    return Team(job, members, worlds, rank0, port, alone=rules.alone)


def _member(job: Job, rules: Rules, name: str, role: Role) -> Member:
    resources = role.resources or job.resources
    resource, count = gpus(resources)
    return Member(
        name=name,
        replicas=role.replicas,
        gpus=count,
        processes=role.processes or 1,
        resources=resources,
        envs={**job.envs, **role.envs},
        gpu_resource=resource,
        image=role.image or job.image,
        setup=role.setup if role.setup is not None else job.setup,
        run=role.run if role.run is not None else job.run,
        restart=role.restart or Restart.NEVER,
        depends_on=tuple(role.depends_on or ()),
        ports=dict(role.ports),
        host_network=bool(role.host_network),
        failed=role.failed or Pods.ANY,
        succeeded=role.succeeded or Pods.ALL,
        node_down_as_failed=bool(role.node_down_as_failed),
        template=role.template,
        elastic=job.elastic is not None and job.elastic.role == name,
        launcher=name == "launcher" and name in rules.drivers,
    )

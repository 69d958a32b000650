"""MPI (Open MPI, MPICH): a launcher runs the user's script, which calls mpirun; workers obey it.

https://docs.open-mpi.org/en/main/launching-apps/ssh.html, https://www.mpich.org (Hydra)
"""

from __future__ import annotations

from jobs.frameworks import remote
from jobs.frameworks.base import DEFAULT_ROLE, Defaults, Rules
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.role import Role
from jobs.spec import Backend, Job

__all__ = ["LAUNCHER", "Launched", "MpiRules"]

LAUNCHER = "launcher"


class Launched(Rules):
    """A launcher without accelerators, and the workers, which are the world."""

    roles = (LAUNCHER, DEFAULT_ROLE)
    required = roles
    single = (LAUNCHER,)
    world = (DEFAULT_ROLE,)
    drivers = (LAUNCHER,)
    light = (LAUNCHER,)

    def roles_of(self, job: Job) -> dict[str, Role]:
        return {LAUNCHER: Role(), DEFAULT_ROLE: Role(replicas=job.nodes)}

    def defaults(self, job: Job, name: str) -> Defaults:
        """The launcher needs its workers; a worker on a dead node fails the job."""
        if name == LAUNCHER:
            ports = {"beacon": remote.BEACON_PORT} if job.backend is not Backend.MPIJOB else {}
            return Defaults(
                depends_on=(DEFAULT_ROLE,), node_down_as_failed=True, ports=ports, processes=1
            )
        ssh = remote.own_ssh(job)
        return Defaults(
            ports={"ssh": remote.SSH_PORT} if ssh else {},
            node_down_as_failed=job.elastic is None,
            run=remote.worker_script(job),
        )

    def success(self, job: Job) -> list[list[str]]:
        return [[LAUNCHER]]

    def failure(self, job: Job) -> list[list[str]]:
        """Of an elastic job the launcher alone decides."""
        return [[LAUNCHER]] if job.elastic else [[LAUNCHER], [DEFAULT_ROLE]]

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        return remote.shared_env(team)

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        return remote.launcher_env(team) if role.launcher else {}

    def files(self, team: Team, role: Member) -> dict[str, str]:
        if not role.launcher or team.job.backend is Backend.MPIJOB:
            return {}
        return {team.job.mpi.hostfile: remote.hostfile(team), **remote.rsh_files(team)}

    def before(self, team: Team, role: Member) -> str | None:
        return remote.launcher_script(team.job) if role.launcher else None


class MpiRules(Launched):
    """Nothing more."""

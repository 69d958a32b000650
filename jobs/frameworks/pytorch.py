"""PyTorch: `torchrun` reads PET_* (any of its options); a plain script reads MASTER_* and RANK.

Static: `master` (optional) and `worker` are one world. Elastic: the one `master` is the c10d
rendezvous, so it neither comes nor goes; the `worker`s do.
https://docs.pytorch.org/docs/stable/elastic/run.html
"""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import Problem
from jobs.frameworks.base import DEFAULT_ROLE, Defaults, Rules
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.role import Role
from jobs.spec import Job

__all__ = ["RENDEZVOUS_PORT", "PyTorch"]

MASTER = "master"
PORT, RENDEZVOUS_PORT = 29500, 29400
"""torchrun's own defaults, static and c10d."""


class PyTorch(Rules):
    """Other roles than master and worker are worlds of their own."""

    single = (MASTER,)
    world = (MASTER, DEFAULT_ROLE)
    elastic = True

    def roles_of(self, job: Job) -> dict[str, Role]:
        if job.elastic is None or job.nodes < 2:
            return super().roles_of(job)
        return {MASTER: Role(), DEFAULT_ROLE: Role(replicas=job.nodes - 1)}

    def problems(self, job: Job) -> Iterator[Problem]:
        if job.elastic is None:
            return
        if MASTER not in job.roles:
            hint = "at least 2 nodes, or the roles master and worker"
            yield Problem("elastic", "needs one pod that stays: the rendezvous", hint)
        if job.elastic.role == MASTER:
            yield Problem("elastic.role", "the master is the rendezvous and stays", "use worker")

    def defaults(self, job: Job, name: str) -> Defaults:
        """Workers wait until the master listens."""
        if name == MASTER:
            return Defaults(ports={"rdzv": RENDEZVOUS_PORT} if job.elastic else {"pytorch": PORT})
        after = name == DEFAULT_ROLE and MASTER in job.roles
        return Defaults(depends_on=(MASTER,) if after else ())

    def success(self, job: Job) -> list[list[str]]:
        """Of an elastic job the master's word is enough: workers come and go."""
        if job.elastic:
            return [[MASTER]]
        return [self.present(job) or list(job.roles)]

    def failure(self, job: Job) -> list[list[str]]:
        return [[name] for name in job.roles if not (job.elastic and name == job.elastic.role)]

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        elastic = team.job.elastic
        if elastic is None or role.name not in self.world:
            return {}
        fixed = sum(m.replicas for m in team.world_of(role.name) if not m.elastic)
        is_host = str(role.name == MASTER).lower()
        return {
            "PET_NNODES": f"{elastic.min + fixed}:{elastic.max + fixed}",
            "PET_RDZV_BACKEND": "c10d",
            "PET_RDZV_ENDPOINT": f"{team.master(role.name)}:{team.members[MASTER].ports['rdzv']}",
            "PET_RDZV_ID": team.job.name,
            "PET_RDZV_CONF": f"is_host={is_host}",
        }

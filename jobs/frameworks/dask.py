"""Dask: a scheduler, a leading worker, workers, and the launcher that runs the user's script.

They start in this order; missing links are skipped. The scheduler is on its node's own network
and starts again when it fails. https://docs.dask.org/en/stable/deploying-cli.html
"""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import Problem
from jobs.frameworks.base import Defaults, Rules
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.policy import Restart
from jobs.role import Role
from jobs.spec import Job

__all__ = ["Dask"]

PORT = 8786
_ORDER = ("scheduler", "leadworker", "worker", "launcher")
_RUN = {
    "scheduler": 'exec dask scheduler --port "$DASK_SCHEDULER_PORT"\n',
    "leadworker": 'exec dask worker "$DASK_SCHEDULER_ADDRESS" --nworkers "$LOCAL_WORLD_SIZE"\n',
    "worker": 'exec dask worker "$DASK_SCHEDULER_ADDRESS" --nworkers "$LOCAL_WORLD_SIZE"\n',
}


class Dask(Rules):
    """Ranks: leadworker 0, worker i + 1, launcher last, one process a pod; the scheduler: none."""

    roles = _ORDER
    required = ("scheduler", "launcher")
    single = ("scheduler", "leadworker", "launcher")
    world = ("leadworker", "worker", "launcher")
    drivers = ("scheduler",)
    light = ("scheduler", "launcher")

    def roles_of(self, job: Job) -> dict[str, Role]:
        """`nodes` are those that work."""
        more = {"worker": Role(replicas=job.nodes - 1)} if job.nodes > 1 else {}
        return {"scheduler": Role(), "leadworker": Role(), **more, "launcher": Role()}

    def problems(self, job: Job) -> Iterator[Problem]:
        if "worker" in job.roles and "leadworker" not in job.roles:
            hint = "add it, or name the only worker leadworker"
            yield Problem("roles.leadworker", "required beside the role worker", hint)

    def defaults(self, job: Job, name: str) -> Defaults:
        before = [other for other in _ORDER[: _ORDER.index(name)] if other in job.roles]
        scheduler = name == "scheduler"
        return Defaults(
            restart=Restart.ON_FAILURE if scheduler else Restart.NEVER,
            depends_on=tuple(before[-1:]),
            ports={"scheduler": PORT} if scheduler else {},
            host_network=scheduler,
            processes=1,
            run=_RUN.get(name),
        )

    def success(self, job: Job) -> list[list[str]]:
        return [["launcher"]]

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        port = team.members["scheduler"].ports["scheduler"]
        return {
            "DASK_SCHEDULER_ADDRESS": f"tcp://{team.address('scheduler')}:{port}",
            "DASK_SCHEDULER_PORT": str(port),
        }

"""What a framework knows of its jobs: the defaults of its roles, its worlds, its rendezvous.

Each framework is one subclass in a file of its own. A rule fills only what the user left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.errors import Problem
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.policy import Pods, Restart
from jobs.role import Role
from jobs.spec import Job

__all__ = ["DEFAULT_ROLE", "LINK", "Defaults", "Rules"]

DEFAULT_ROLE = "worker"
LINK = "link:"
"""A file with this text and a path is a link to it: to what is mounted and changes."""


@dataclass(frozen=True)
class Defaults:
    """Of one role."""

    restart: Restart = Restart.NEVER
    depends_on: tuple[str, ...] = ()
    """Roles that must be Running."""
    ports: dict[str, int] = field(default_factory=dict)
    host_network: bool = False
    failed: Pods = Pods.ANY
    succeeded: Pods = Pods.ALL
    node_down_as_failed: bool = False
    processes: int | None = None
    """None = the accelerators of a pod, or 1."""
    run: str | None = None
    """Instead of the job's own `run`, which is for another role."""


class Rules:
    """The rules of a framework; a subclass says only where it differs."""

    roles: tuple[str, ...] = ()
    """The only roles it has; empty = any."""
    required: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    """Roles of exactly one pod."""
    world: tuple[str, ...] = ()
    """Roles that share one rendezvous, in rank order; any other role is a world of its own."""
    drivers: tuple[str, ...] = ()
    """Roles outside the world that serve it: they are told of it, and have no rank."""
    light: tuple[str, ...] = ()
    """Roles that find room beside the others: no accelerators or machine unless they say so."""
    elastic: bool = False
    """Whether a role may grow and shrink while the job runs."""
    alone: bool = False
    """Whether each pod is a world of its own."""

    def roles_of(self, job: Job) -> dict[str, Role]:
        """The roles of a job that names none."""
        return {DEFAULT_ROLE: Role(replicas=job.nodes)}

    def problems(self, job: Job) -> Iterator[Problem]:
        """What is wrong with a job beyond the rules above."""
        yield from ()

    def defaults(self, job: Job, name: str) -> Defaults:
        """Of one role."""
        return Defaults()

    def success(self, job: Job) -> list[list[str]]:
        """The roles that must all have succeeded."""
        return [list(job.roles)]

    def failure(self, job: Job) -> list[list[str]]:
        """Any role."""
        return [[name] for name in job.roles]

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        """Environment, the same in every pod of a role."""
        return {}

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        """Environment with `{index}` and so on in it (`jobs.frameworks`)."""
        return {}

    def files(self, team: Team, role: Member) -> dict[str, str]:
        """Absolute path -> text."""
        return {}

    def before(self, team: Team, role: Member) -> str | None:
        """A script that runs before the user's, in the same container."""
        return None

    def master_port(self, first: Member) -> int | None:
        """The MASTER_PORT, where the role of rank 0 says it; Ares names it `pytorch`."""
        return first.ports.get("pytorch")

    def present(self, job: Job) -> list[str]:
        """The roles of the world that the job has, in rank order."""
        return [name for name in self.world if name in job.roles]

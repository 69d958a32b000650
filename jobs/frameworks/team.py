"""All roles of a completed job, for the frameworks' rendezvous."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.hosts import has_service, host, hosts_of, service_name
from jobs.member import Member
from jobs.spec import Job

__all__ = ["Team"]


@dataclass(frozen=True)
class Team:
    """A completed job and its members, in the order of the file."""

    job: Job
    members: dict[str, Member]
    worlds: dict[str, list[str]]
    """Role -> the roles that share its rendezvous, in rank order."""
    rank0: str
    """The role whose first pod has the ClusterIP service: one that does not come and go."""
    master_port: int | None = None
    """Where the role of rank 0 says it."""
    alone: bool = False
    """Whether each pod is a world of its own."""

    def hosts(self, role: str) -> list[str]:
        """The names of a role's pods; none where the job lacks the role."""
        member = self.members.get(role)
        return hosts_of(self.job, role, member.replicas) if member else []

    def world_of(self, role: str) -> list[Member]:
        return [self.members[name] for name in self.worlds[role]]

    def counts(self, role: str) -> bool:
        """Whether a role has ranks of its own: a driver serves a world without being in it."""
        return role in self.worlds[role]

    def address(self, role: str) -> str:
        """How a role's first pod is reached: its service where it has one, else its name."""
        if role == self.rank0 and has_service(self.job):
            return service_name(self.job)
        return host(self.job, role, 0)

    def master(self, role: str) -> str:
        """The address of rank 0 of a role's world."""
        return self.address(self.worlds[role][0])

"""Bagua: static (one master, workers), or elastic (workers, and one etcd as the rendezvous).

A pod's ports are those of its role beyond the first two, split evenly by index.
https://tutorials.baguasys.com/getting-started/
"""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import Problem
from jobs.frameworks.base import DEFAULT_ROLE, Defaults, Rules
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.policy import Pods
from jobs.role import Role
from jobs.spec import Job

__all__ = ["Bagua", "split_ports"]

MASTER, ETCD = "master", "etcd"
ETCD_PORT = 2379
COMMON = 2
"""Ports that all pods of a role share: the rendezvous and Bagua's own service."""
_PORTS = {"master": 29500, "service": 29501}


class Bagua(Rules):
    """Without roles: a master and `nodes` - 1 workers; elastic: an etcd and `nodes` workers.

    An elastic job outlives a lost worker: it fails with the last one.
    """

    roles = (MASTER, DEFAULT_ROLE, ETCD)
    single = (MASTER, ETCD)
    world = (MASTER, DEFAULT_ROLE)
    light = (ETCD,)
    elastic = True

    def roles_of(self, job: Job) -> dict[str, Role]:
        if job.elastic:
            return {ETCD: Role(), DEFAULT_ROLE: Role(replicas=job.nodes)}
        more = {DEFAULT_ROLE: Role(replicas=job.nodes - 1)} if job.nodes > 1 else {}
        return {MASTER: Role(), **more}

    def problems(self, job: Job) -> Iterator[Problem]:
        needed = (ETCD, DEFAULT_ROLE) if job.elastic else (MASTER,)
        unwanted = MASTER if job.elastic else ETCD
        kind = "elastic" if job.elastic else "static"
        for name in needed:
            if name not in job.roles:
                yield Problem(f"roles.{name}", f"required by {kind} bagua")
        if unwanted in job.roles:
            yield Problem(f"roles.{unwanted}", f"is no role of {kind} bagua", "remove it")
        if job.elastic and job.elastic.role == ETCD:
            yield Problem("elastic.role", "etcd is the rendezvous and stays", "use worker")
        yield from self._ports(job)

    def _ports(self, job: Job) -> Iterator[Problem]:
        """Ports that the user gives must go round; pods with addresses of their own need none."""
        for name, role in job.roles.items():
            most = job.elastic.max if job.elastic else role.replicas
            least = COMMON + (most if job.elastic else 0)
            if name != ETCD and role.ports not in ({}, _PORTS) and len(role.ports) < least:
                message = f"has {len(role.ports)}, bagua needs at least {least}"
                yield Problem(f"roles.{name}.ports", message)

    def defaults(self, job: Job, name: str) -> Defaults:
        if name == ETCD:
            return Defaults(ports={"client": ETCD_PORT}, processes=1, run=_ETCD_RUN)
        first = ETCD if job.elastic else MASTER
        wait = name == DEFAULT_ROLE and first in job.roles
        return Defaults(
            depends_on=(first,) if wait else (),
            ports={} if job.roles[name].ports else _PORTS,
            failed=Pods.ALL if job.elastic else Pods.ANY,
        )

    def master_port(self, first: Member) -> int | None:
        return next(iter(first.ports.values()), None)

    def success(self, job: Job) -> list[list[str]]:
        return [self.present(job)]

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        elastic = team.job.elastic
        if elastic is None:
            return {"BAGUA_SERVICE_PORT": _port(team.world_of(role.name)[0], 1)}
        etcd = team.members[ETCD]
        endpoint = f"{team.address(ETCD)}:{next(iter(etcd.ports.values()))}"
        return {
            "MIN_SIZE": str(elastic.min),
            "MAX_SIZE": str(elastic.max),
            "ETCD_ENDPOINT": endpoint,
            "PET_NNODES": f"{elastic.min}:{elastic.max}",
            "PET_RDZV_BACKEND": "etcd-v2",
            "PET_RDZV_ENDPOINT": endpoint,
            "PET_RDZV_ID": team.job.name,
        }

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        """BAGUA_PORTS of each pod that has some."""
        most = team.job.elastic.max if role.elastic and team.job.elastic else role.replicas
        own = [] if role.name == ETCD else list(role.ports.values())[COMMON:]
        return {
            f"BAGUA_PORTS@{index}": ",".join(str(port) for port in part)
            for index, part in enumerate(split_ports(own, most))
            if part
        }


def split_ports(ports: list[int], pods: int) -> list[list[int]]:
    """As many for each pod, in order; what does not go round is nobody's."""
    each = len(ports) // pods
    return [ports[index * each : (index + 1) * each] for index in range(pods)]


def _port(role: Member, place: int) -> str:
    ports = list(role.ports.values())
    return str(ports[place]) if len(ports) > place else str(_PORTS["service"])


_ETCD_RUN = """\
url=http://0.0.0.0:2379
exec etcd --enable-v2 --data-dir "$COLONY_HOME/etcd" \\
  --listen-client-urls "$url" --advertise-client-urls "http://${HOSTNAME:-localhost}:2379"
"""

"""Horovod: a launcher runs horovodrun; elastic, it asks a script which hosts there are.

The agent keeps the list in the ConfigMap `<job>-elastic`, mounted at ELASTIC_MOUNT: key `hosts`
has `host:slots` lines, `hostfile` the same as `host slots=N`. AIACC reads the same script.
https://horovod.readthedocs.io/en/stable/elastic_include.html
"""

from __future__ import annotations

from collections.abc import Iterator

from jobs.errors import Problem
from jobs.frameworks import remote
from jobs.frameworks.base import DEFAULT_ROLE, LINK
from jobs.frameworks.mpi import LAUNCHER, Launched
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.spec import Job

__all__ = ["DISCOVERY", "ELASTIC_MOUNT", "Horovod"]

ELASTIC_MOUNT = "/etc/colony/elastic"
DISCOVERY = "/etc/edl/discover_hosts.sh"
_DISCOVER = """\
#!/bin/sh
# Prints the hosts of the job that may be used now, `host:slots` a line.
exec cat "${COLONY_ELASTIC:-/etc/colony/elastic}/hosts"
"""


class Horovod(Launched):
    """Static: `horovodrun -np $WORLD_SIZE --hostfile $COLONY_HOSTFILE ...`."""

    elastic = True

    def problems(self, job: Job) -> Iterator[Problem]:
        if job.elastic and job.elastic.role == LAUNCHER:
            yield Problem("elastic.role", "only workers come and go", f"use {DEFAULT_ROLE}")

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        env = {
            **super().shared(team, role),
            "HOROVOD_GLOO_TIMEOUT_SECONDS": str(team.job.policy.startup_timeout),
            "HOROVOD_SSH_PORT": super().shared(team, role)["COLONY_SSH_PORT"],
        }
        elastic = team.job.elastic
        if elastic is None:
            return env
        slots = remote.slots(team)
        return {
            **env,
            "COLONY_ELASTIC": ELASTIC_MOUNT,
            "COLONY_MIN_NP": str(elastic.min * slots),
            "COLONY_MAX_NP": str(elastic.max * slots),
        }

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        env = super().pod(team, role)
        if role.name != LAUNCHER or team.job.elastic is None:
            return env
        return {**env, "COLONY_DISCOVERY": DISCOVERY}

    def files(self, team: Team, role: Member) -> dict[str, str]:
        """The lists of an elastic job are links: they change while it runs."""
        files = super().files(team, role)
        if not role.launcher:
            return files
        if team.job.elastic is None:
            return files | {path: remote.plain_hosts(team) for path in files if "hostfile" in path}
        return {
            **files,
            team.job.mpi.hostfile: f"{LINK}{ELASTIC_MOUNT}/hostfile",
            "/etc/colony/discover_hosts.sh": _DISCOVER,
            DISCOVERY: _DISCOVER,
            "/etc/edl/hostfile": f"{LINK}{ELASTIC_MOUNT}/hosts",
            "/job/hostfile": f"{LINK}{ELASTIC_MOUNT}/hostfile",
        }

"""Ray: the head starts Ray, then runs the user's script; workers join it and end with it.

https://docs.ray.io/en/latest/cluster/cli.html#ray-start
"""

from __future__ import annotations

from jobs.frameworks.base import DEFAULT_ROLE, Defaults, Rules
from jobs.frameworks.team import Team
from jobs.member import Member
from jobs.role import Role
from jobs.spec import Backend, Job

__all__ = ["Ray"]

HEAD = "head"
PORTS = {"gcs": 6379, "dashboard": 8265, "client": 10001}
_HEAD = """\
exec ray start --head --port="$COLONY_RAY_PORT" --dashboard-host=0.0.0.0 --disable-usage-stats
"""
_WORKER = """\
# Until the head has ended; a worker that never met it has failed.
deadline=$((SECONDS + COLONY_STARTUP_SECONDS))
until ray health-check --address "$RAY_ADDRESS" >/dev/null 2>&1; do
  ((SECONDS < deadline)) || { echo "colony: the head $RAY_ADDRESS did not appear" >&2; exit 124; }
  sleep 1
done
ray start --address="$RAY_ADDRESS" --disable-usage-stats --block
code=$?
if ray health-check --address "$RAY_ADDRESS" >/dev/null 2>&1; then exit $code; fi
"""


class Ray(Rules):
    """One head, and `nodes` - 1 workers. KubeRay starts Ray itself."""

    required = (HEAD,)
    single = (HEAD,)
    world = (HEAD, DEFAULT_ROLE)

    def roles_of(self, job: Job) -> dict[str, Role]:
        more = {DEFAULT_ROLE: Role(replicas=job.nodes - 1)} if job.nodes > 1 else {}
        return {HEAD: Role(), **more}

    def present(self, job: Job) -> list[str]:
        """The head, then every group of workers."""
        return [HEAD, *(name for name in job.roles if name != HEAD)]

    def defaults(self, job: Job, name: str) -> Defaults:
        if name == HEAD:
            return Defaults(ports=PORTS)
        run = _WORKER if job.backend is not Backend.RAYJOB else None
        return Defaults(depends_on=(HEAD,), run=run)

    def success(self, job: Job) -> list[list[str]]:
        return [[HEAD]]

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        if team.job.backend is Backend.RAYJOB:
            return {}
        port = team.members[HEAD].ports.get("gcs", PORTS["gcs"])
        host = "127.0.0.1" if role.name == HEAD else team.address(HEAD)
        return {
            "RAY_ADDRESS": f"{host}:{port}",
            "COLONY_RAY_PORT": str(port),
            "COLONY_STARTUP_SECONDS": str(team.job.policy.startup_timeout),
        }

    def before(self, team: Team, role: Member) -> str | None:
        return _HEAD if role.name == HEAD and team.job.backend is not Backend.RAYJOB else None

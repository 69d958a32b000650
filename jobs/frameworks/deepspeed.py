"""DeepSpeed: `deepspeed train.py` on the launcher reads /job/hostfile and reaches the workers.

https://www.deepspeed.ai/getting-started/#resource-configuration-multi-node
"""

from __future__ import annotations

from jobs.frameworks import remote
from jobs.frameworks.mpi import Launched
from jobs.frameworks.team import Team
from jobs.member import Member

__all__ = ["DeepSpeed"]

HOSTFILE = "/job/hostfile"
"""DeepSpeed's own default."""
ENVIRONMENT = "/etc/colony/deepspeed_env"


class DeepSpeed(Launched):
    """Its workers' variables are those of the launcher's users: DS_ENV_FILE names the list."""

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        env = super().pod(team, role)
        return {**env, "DS_ENV_FILE": ENVIRONMENT} if role.launcher else env

    def files(self, team: Team, role: Member) -> dict[str, str]:
        files = super().files(team, role)
        if not role.launcher:
            return files
        lines = [f"{name}={value}" for name, value in role.envs.items() if "\n" not in value]
        return {
            **files,
            HOSTFILE: remote.deepspeed_hostfile(team),
            ENVIRONMENT: "".join(f"{line}\n" for line in lines),
        }

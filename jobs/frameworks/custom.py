"""Any roles: each is told its own name and index, and the hosts of all."""

from __future__ import annotations

import re

from jobs.frameworks.base import Rules
from jobs.frameworks.team import Team
from jobs.member import Member

__all__ = ["Custom"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Custom(Rules):
    """MODULE (the role), INDEX, and one variable a role: a comma list of its hosts."""

    def shared(self, team: Team, role: Member) -> dict[str, str]:
        hosts = {variable(name): ",".join(team.hosts(name)) for name in team.members}
        return {"MODULE": role.name, **hosts}

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        return {"INDEX": "{index}"}


def variable(role: str) -> str:
    """The role's own name; `data-loader`, which no shell can read, is `DATA_LOADER`."""
    return role if _VARIABLE.fullmatch(role) else role.upper().replace("-", "_")

"""The scripts of a pod: the entry point, the user's `setup` and `run`, the list of outputs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jobs import frameworks
from jobs.environment import COLONY_HOME, node_rank
from jobs.errors import InputError, Problem
from jobs.frameworks.base import LINK
from jobs.hosts import host_pattern
from jobs.member import Member
from jobs.policy import RolePhase
from jobs.spec import Backend, Job

__all__ = [
    "CODE_FILE", "CODE_MOUNT", "FLUSH_SECONDS", "OUTPUTS_LOST", "SCRIPTS_MOUNT",
    "WRONG_CONFIGURATION", "command", "entrypoint", "entrypoint_env", "scripts", "wait_command",
]  # fmt: skip

SCRIPTS_MOUNT = "/etc/colony/scripts"
CODE_MOUNT = "/etc/colony/code"
CODE_FILE = "code.tar.gz"
OUTPUTS_LOST = 74
"""Exit code of a pod whose script succeeded and whose outputs could not be copied (EX_IOERR)."""
WRONG_CONFIGURATION = 78
"""Exit code of a pod whose world is not what it was told (EX_CONFIG)."""
FLUSH_SECONDS = 600
FETCH_SECONDS = 3600
"""Within which all inputs must be there."""
INPUTS_LOST = 66
"""Exit code of a pod whose inputs could not be copied (EX_NOINPUT)."""


@cache
def entrypoint() -> str:
    """The bash script every pod runs."""
    return _script("entrypoint.sh")


def command() -> list[str]:
    """The container's command."""
    return ["bash", f"{SCRIPTS_MOUNT}/entrypoint.sh"]


def wait_command(job: Job, role: Member) -> list[str]:
    """The command of an init container that waits for what a role depends on; empty = nothing.

    It connects to every port of every pod of each role that must be Running (a role without ports
    has to have addresses), for at most the start-up timeout, then exits with 124. It cannot see
    that a role has Succeeded: that is for the engine.
    """
    members = frameworks.team(job).members
    needed = [each.role for each in role.depends_on if each.phase is RolePhase.RUNNING]
    targets = [target for name in needed for target in _targets(job, members[name])]
    seconds = str(job.policy.startup_timeout)
    return [*command(), "wait", seconds, *targets] if targets else []


def scripts(job: Job) -> dict[str, str]:
    """File name -> text of everything under SCRIPTS_MOUNT. Raises InputError for bad paths."""
    found = {"entrypoint.sh": entrypoint()}
    if any(_meets(job, role) for role in frameworks.team(job).members.values()):
        found["barrier.sh"] = _script("barrier.sh")
    for role in frameworks.team(job).members.values():
        before = frameworks.before(job, role)
        for step, text in (("setup", role.setup), ("before", before), ("run", role.run)):
            if text:
                found[f"{role.name}.{step}.sh"] = text if text.endswith("\n") else f"{text}\n"
        found |= _pod_env(job, role) | _files(job, role)
    inputs = [_row(f"inputs[{n}]", each.path, each.source) for n, each in enumerate(job.inputs)]
    outputs = [_row(f"outputs[{n}]", each.path, each.to) for n, each in enumerate(job.outputs)]
    for name, rows in (("inputs.tsv", inputs), ("outputs.tsv", outputs)):
        if rows:
            found[name] = "".join(f"{row}\n" for row in rows)
    return found


def entrypoint_env(job: Job, role: Member, code: bool) -> dict[str, str]:
    """What the entry point needs to compute the rest; COLONY_POD_INDEX comes from the cluster."""
    team = frameworks.team(job)
    nodes, processes = node_rank(job, role.name, 0)
    world = team.world_of(role.name)
    moving = any(each.elastic for each in world)
    env = {
        "COLONY_HOME": COLONY_HOME,
        "COLONY_SCRIPTS": SCRIPTS_MOUNT,
        "COLONY_PROCESSES": str(role.processes),
        "COLONY_NODE_BASE": str(nodes),
        "COLONY_RANK_BASE": str(processes),
        "COLONY_PODS": " ".join(f"{_prefix(job, each)}:{each.replicas}" for each in world),
        "COLONY_SUBDOMAIN": job.name,
        "COLONY_HOST": host_pattern(job, role.name),
        "COLONY_FLUSH_SECONDS": str(FLUSH_SECONDS),
        **({"COLONY_FETCH_SECONDS": str(FETCH_SECONDS)} if job.inputs else {}),
    }
    if team.alone or not team.counts(role.name):
        env["COLONY_UNRANKED"] = "alone" if team.alone else "driver"
    if not moving and not team.alone:
        env["COLONY_WORLD"] = " ".join(f"{each.replicas}x{each.processes}" for each in world)
    if moving or job.backend is Backend.RAYJOB:
        env["COLONY_RESOLVE_SECONDS"] = "0"
    if role.name == next(iter(team.members)):
        env["COLONY_FIRST_POD"] = "1"
    if _meets(job, role):
        env["COLONY_SETUP_SECONDS"] = str(job.policy.startup_timeout)
    if code:
        env["COLONY_CODE"] = f"{CODE_MOUNT}/{CODE_FILE}"
    return env


@cache
def _script(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _meets(job: Job, role: Member) -> bool:
    """Whether a role's pods wait for the setup of all others of their world: not where some of
    these start later, come and go, or share a node's ports with other jobs."""
    team = frameworks.team(job)
    world = team.world_of(role.name)
    if team.alone or not team.counts(role.name) or job.backend is Backend.RAYJOB:
        return False
    names = {each.name for each in world}
    later = any(before.role in names for each in world for before in each.depends_on)
    apart = any(each.elastic or each.host_network for each in world)
    if later or apart or sum(each.replicas for each in world) < 2:
        return False
    return bool(job.inputs) or any(each.setup for each in world)


def _targets(job: Job, role: Member) -> list[str]:
    hosts = frameworks.team(job).hosts(role.name)
    # The first port is where others meet it; some open the rest only when they have.
    first = next(iter(role.ports.values()), "")
    return [f"{name}:{first}" for name in hosts]


def _prefix(job: Job, role: Member) -> str:
    return host_pattern(job, role.name).partition("-{index}.")[0]


def _pod_env(job: Job, role: Member) -> dict[str, str]:
    """One pod's own values come last: they win."""
    values = sorted(frameworks.pod_env(job, role).items(), key=lambda item: "@" in item[0])
    lines = "".join(f"{name}={value}\n" for name, value in values)
    return {f"{role.name}.env": lines} if lines else {}


def _files(job: Job, role: Member) -> dict[str, str]:
    """Each file under a key of its own, and the list of where they belong."""
    keys, found = {}, {}
    for number, (path, text) in enumerate(frameworks.files(job, role).items()):
        linked = text.startswith(LINK)
        keys[path] = text[len(LINK) :] if linked else f"{role.name}.file.{number}"
        if not linked:
            found[keys[path]] = text
    if keys:
        rows = "".join(f"{key}\t{path}\n" for path, key in keys.items())
        found[f"{role.name}.files.tsv"] = rows
    return found


def _row(where: str, path: str, url: str) -> str:
    if any(char in text for text in (path, url) for char in "\t\n"):
        raise InputError(Problem(where, "has a tab or a line break in it"))
    return f"{path}\t{url}"

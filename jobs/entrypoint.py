"""The scripts of a pod: the entry point, the user's `setup` and `run`, the list of outputs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jobs.environment import COLONY_HOME, node_rank
from jobs.errors import InputError, Problem
from jobs.roles import Member, members, world_of
from jobs.spec import Job, Output

__all__ = [
    "CODE_FILE", "CODE_MOUNT", "FLUSH_SECONDS", "OUTPUTS_LOST", "SCRIPTS_MOUNT", "command",
    "entrypoint", "entrypoint_env", "scripts",
]  # fmt: skip

SCRIPTS_MOUNT = "/etc/colony/scripts"
CODE_MOUNT = "/etc/colony/code"
CODE_FILE = "code.tar.gz"
OUTPUTS_LOST = 74
"""Exit code of a pod whose script succeeded and whose outputs could not be copied (EX_IOERR)."""
FLUSH_SECONDS = 600


@cache
def entrypoint() -> str:
    """The bash script every pod runs."""
    return (Path(__file__).parent / "entrypoint.sh").read_text(encoding="utf-8")


def command() -> list[str]:
    """The container's command."""
    return ["bash", f"{SCRIPTS_MOUNT}/entrypoint.sh"]


def scripts(job: Job) -> dict[str, str]:
    """File name -> text of everything under SCRIPTS_MOUNT. Raises InputError for bad outputs."""
    files = {"entrypoint.sh": entrypoint()}
    for role in members(job):
        for step, text in (("setup", role.setup), ("run", role.run)):
            if text:
                files[f"{role.name}.{step}.sh"] = text if text.endswith("\n") else f"{text}\n"
    if job.outputs:
        rows = [_row(index, output) for index, output in enumerate(job.outputs)]
        files["outputs.tsv"] = "".join(f"{row}\n" for row in rows)
    return files


def entrypoint_env(job: Job, role: Member, code: bool) -> dict[str, str]:
    """What the entry point needs to compute the rest; COLONY_POD_INDEX comes from the cluster."""
    nodes, processes = node_rank(job, role.name, 0)
    world = world_of(job, role.name)
    env = {
        "COLONY_HOME": COLONY_HOME,
        "COLONY_SCRIPTS": SCRIPTS_MOUNT,
        "COLONY_PROCESSES": str(role.processes),
        "COLONY_NODE_BASE": str(nodes),
        "COLONY_RANK_BASE": str(processes),
        "COLONY_PODS": " ".join(f"{job.name}-{each.name}-0:{each.replicas}" for each in world),
        "COLONY_SUBDOMAIN": job.name,
        "COLONY_FLUSH_SECONDS": str(FLUSH_SECONDS),
    }
    if role.name == members(job)[0].name:
        env["COLONY_FIRST_POD"] = "1"
    if code:
        env["COLONY_CODE"] = f"{CODE_MOUNT}/{CODE_FILE}"
    return env


def _row(index: int, output: Output) -> str:
    if any(char in text for text in (output.path, output.to) for char in "\t\n"):
        raise InputError(Problem(f"outputs[{index}]", "has a tab or a line break in it"))
    return f"{output.path}\t{output.to}"

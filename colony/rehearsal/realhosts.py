"""Commands that a world really runs, by SSH, on test machines of the user's own.

The program's own connection is used: user, port, private key, and the one host key that is taken.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from colony import ssh
from colony.rehearsal.calls import Call, Refusal
from jobs.problems import printable

__all__ = ["COMMAND", "run"]

COMMAND = "command:remote:Command"
_SECONDS = 900.0


def run(call: Call) -> str:
    """The standard output of a command's script for this operation; empty where it has none.

    Raises Refusal with what ssh or the script says.
    """
    script = call.inputs.get("delete" if call.op == "delete" else "create")
    if call.op == "update":
        script = call.inputs.get("update") or script
    if not script:
        return str(call.olds.get("stdout") or "")
    way = _way(dict(call.inputs.get("connection") or {}))
    return _ran(way, str(script), str(call.inputs.get("stdin") or ""), call)


def _ran(way: ssh.Way, script: str, given: str, call: Call) -> str:
    seconds = call.timeout or _SECONDS
    try:
        done = ssh.run(way, script, given, seconds)
    except subprocess.TimeoutExpired:
        raise Refusal("Timeout", f"{call.name} did not end in {seconds:.0f} s") from None
    if done.code == 0:
        return done.out
    said = printable(" ".join(done.err.split()[-60:])) if done.err else "no output"
    code = "Unreachable" if done.code == ssh.UNREACHABLE else "Failed"
    raise Refusal(code, f"Process exited with status {done.code}: {said}")


def _way(connection: Mapping[str, Any]) -> ssh.Way:
    return ssh.Way(
        host=str(connection["host"]),
        user=str(connection.get("user") or "root"),
        port=int(connection.get("port") or 22),
        host_key=str(connection.get("hostKey") or ""),
        private_key=str(connection.get("privateKey") or ""),
        dial_seconds=int(connection.get("perDialTimeout") or ssh.Way.dial_seconds),
    )

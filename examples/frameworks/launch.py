"""Starts a program on the hosts of a hostfile as mpirun would, where there is no mpirun.

`python launch.py HOSTFILE PROGRAM [ARGUMENT ...]`. The hosts are `host slots=N` or `host:N` lines;
processes are started by the same remote shell, in the folder of the pod that they start in. Rank
and size are in the variables of Open MPI; MEET says where rank 0 listens.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

PORT = 29600
LINE = re.compile(r"\s*([\w.-]+)(?::(\d+)|\s+slots=(\d+))?\s*")


def main(hostfile: str, *program: str) -> int:
    with open(hostfile, encoding="utf-8") as file:
        hosts = slots(file.read())
    print(f"{len(hosts)} processes on {len(set(hosts))} hosts", flush=True)
    agent = shlex.split(os.environ.get("OMPI_MCA_plm_rsh_agent") or "ssh")
    processes = [
        subprocess.Popen([*agent, "-n", host, command(rank, hosts, program)])
        for rank, host in enumerate(hosts)
    ]
    return max(abs(process.wait()) for process in processes)


def slots(text: str) -> list[str]:
    """A host for each process, in rank order."""
    found = [
        match for line in text.splitlines() if (match := LINE.fullmatch(line)) and line.strip()
    ]
    return [match[1] for match in found for _ in range(int(match[2] or match[3] or 1))]


def command(rank: int, hosts: list[str], program: tuple[str, ...]) -> str:
    values = {
        "OMPI_COMM_WORLD_RANK": str(rank),
        "OMPI_COMM_WORLD_SIZE": str(len(hosts)),
        "OMPI_COMM_WORLD_LOCAL_RANK": str(hosts[:rank].count(hosts[rank])),
        "MEET": f"{hosts[0]}:{PORT}",
    }
    return shlex.join(["env", *(f"{name}={value}" for name, value in values.items()), *program])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Starts the processes of one node, as torchrun would: `python launch.py SCRIPT [ARGUMENT ...]`.

RANK is the rank of this node's first process and LOCAL_WORLD_SIZE their number. The first process
that fails ends the others, and its exit code is the node's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def main() -> int:
    first, count = int(os.environ["RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    processes = [start(first + local, local, sys.argv[1:]) for local in range(count)]
    signal.signal(signal.SIGTERM, lambda *_: end(processes))
    code = wait(processes)
    if code:
        end(processes)
        for process in processes:
            process.wait()
    return code


def start(rank: int, local: int, arguments: list[str]) -> subprocess.Popen[bytes]:
    env = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(local)}
    return subprocess.Popen([sys.executable, *arguments], env=env)


def wait(processes: list[subprocess.Popen[bytes]]) -> int:
    """Until all have succeeded (0) or one has failed (its exit code)."""
    running = {process.pid: process for process in processes}
    while running:
        pid, status = os.wait()
        process = running.pop(pid, None)
        if process is None:
            continue
        code = os.waitstatus_to_exitcode(status)
        process.returncode = code
        if code:
            print(f"process {pid} ended with {code}", file=sys.stderr)
            return 128 - code if code < 0 else code
    return 0


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.returncode is None:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())

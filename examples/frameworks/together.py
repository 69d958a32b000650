"""A world of processes that meet over TCP: what a framework's rendezvous does, in miniature.

The examples use it where their framework is not installed, with the addresses and ranks that the
job gave them. `python together.py SCRIPT` starts the processes of one pod, as torchrun would.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

PATIENCE = 60.0
"""Seconds: the others may start later."""


def meet(rank: int, size: int, host: str, port: int, me: dict) -> list[dict]:
    """What every rank says of itself, in rank order. Rank 0 listens at (host, port).

    Each sends a line of JSON to rank 0, which answers with everyone's.
    """
    me = {"rank": rank, **me}
    if rank != 0:
        return ask(host, port, me)
    said, links = [me], []
    with listen(host, port) as server:
        server.settimeout(PATIENCE)
        while len(said) < size:
            link, _ = server.accept()
            if line := link.makefile().readline():  # who waits for the port says nothing
                links.append(link)
                said.append(json.loads(line))
    said.sort(key=lambda each: each["rank"])
    for link in links:
        link.sendall(json.dumps(said).encode() + b"\n")
        link.close()
    return said


def ask(host: str, port: int, question: dict):
    """One line of JSON there, one back; patient with a port that is not open yet."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection((host, port), timeout=PATIENCE) as link:
                link.sendall(json.dumps(question).encode() + b"\n")
                if line := link.makefile().readline():
                    return json.loads(line)
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def listen(host: str, port: int) -> socket.socket:
    """At the address if it is this machine's own; a service's address is not."""
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError:
        return socket.create_server(("", port), backlog=128)


def check(rank: int, size: int, said: list[dict], total: float) -> int:
    """Exit code: 0 where the ranks are 0 to size - 1 and `total` is the sum of rank + 1."""
    ranks = [each["rank"] for each in said]
    who = " ".join(each.get("role", "?") for each in said)
    say(f"rank {rank} of {size} sees {ranks} ({who}), the sum is {total:g}")
    if ranks == list(range(size)) and total == size * (size + 1) / 2:
        return 0
    print(f"the ranks must be 0 to {size - 1}, the sum {size * (size + 1) / 2:g}", file=sys.stderr)
    return 1


def say(text: str) -> None:
    """In one piece, so that the lines of many processes do not mix."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def start(arguments: list[str]) -> int:
    """The processes of this pod; the first that fails ends the others."""
    first, count = int(os.environ["RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "RANK": str(first + local), "LOCAL_RANK": str(local)},
        )
        for local in range(count)
    ]
    codes = [process.wait() for process in processes]
    return max(abs(code) for code in codes)


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))

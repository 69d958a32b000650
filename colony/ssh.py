"""One command on one host by the machine's own ssh: the one key that is taken, nothing asked."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["UNREACHABLE", "Said", "Way", "run"]

UNREACHABLE = 255
"""What ssh itself ends with."""


@dataclass(frozen=True)
class Way:
    """How a host is reached."""

    host: str
    user: str = "root"
    port: int = 22
    host_key: str = ""
    """`TYPE BASE64`, as in a known_hosts file."""
    private_key: str = ""
    """Its text; empty = the ssh agent's keys."""
    dial_seconds: int = 15


@dataclass(frozen=True)
class Said:
    """How the command ended. `code` UNREACHABLE: ssh could not run it."""

    code: int
    out: str
    err: str


def run(way: Way, script: str, given: str = "", seconds: float = 900.0) -> Said:
    """`given` goes to the script's standard input. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="colony-ssh-") as folder:
        line = [*_line(Path(folder), way), script]
        done = subprocess.run(line, input=given, capture_output=True, text=True, timeout=seconds)
    return Said(done.returncode, done.stdout, done.stderr)


def _line(folder: Path, way: Way) -> list[str]:
    known = folder / "known_hosts"
    known.write_text(f"{_named(way.host, way.port)} {way.host_key}\n")
    options = {
        "BatchMode": "yes", "StrictHostKeyChecking": "yes", "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "/dev/null", "ConnectTimeout": str(way.dial_seconds),
        "LogLevel": "ERROR", "ServerAliveInterval": "15",
    }  # fmt: skip
    line = ["ssh", "-F", "/dev/null", "-p", str(way.port), "-l", way.user]
    if way.private_key:
        line += ["-i", str(_private(folder / "key", way.private_key)), "-o", "IdentitiesOnly=yes"]
    return [*line, *(f"-o{name}={value}" for name, value in options.items()), "--", way.host]


def _named(host: str, port: int) -> str:
    return host if port == 22 else f"[{host}]:{port}"


def _private(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text if text.endswith("\n") else f"{text}\n")
    return path

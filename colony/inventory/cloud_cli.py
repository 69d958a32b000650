"""A cloud's own command line, asked once."""

from __future__ import annotations

import subprocess

from jobs.errors import ColonyError

__all__ = ["asked"]


def asked(program: str, arguments: list[str], *, seconds: float, named: int) -> str:
    """What it printed. Raises ColonyError with its words, or after so many seconds; an error
    begins with the first `named` arguments."""
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=seconds,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ColonyError(f"{program} {arguments[0]} took longer than {seconds} s") from error
    if done.returncode:
        said = done.stderr.strip()[-500:]
        raise ColonyError(f"{program} {' '.join(arguments[:named])}: {said}")
    return done.stdout

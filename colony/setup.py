"""`colony setup`: makes sure that this machine has a Pulumi CLI, and says what was done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from colony.toolchain import Cli, ensure_cli, find_cli
from jobs.errors import NotReady

__all__ = ["ready_cli", "setup"]

Tell = Callable[[str], object]

EVERY = 10.0
"""Seconds between two lines of progress where no line can be rewritten."""


def setup(tell: Tell = print) -> Cli:
    """Finds, installs or builds the CLI. Raises NotReady with what to do."""
    try:
        cli = find_cli()
        tell(f"Pulumi CLI {cli.version}: {cli.path} ({cli.how}); nothing to do")
        return cli
    except NotReady:
        began = time.monotonic()
    cli = _made(tell)
    took = time.monotonic() - began
    tell(f"Pulumi CLI {cli.version}: {cli.path} ({cli.how}), made in {took:.0f} s")
    return cli


def ready_cli() -> Cli:
    """The CLI for a command that needs it: made now where it is missing, progress on stderr."""
    try:
        return find_cli()
    except NotReady:
        return _made(lambda text: print(text, file=sys.stderr))


def _made(tell: Tell) -> Cli:
    if not sys.stderr.isatty():
        return ensure_cli(_Paced(tell))
    from rich.console import Console

    with Console(stderr=True).status("Pulumi CLI") as status:
        return ensure_cli(status.update)


class _Paced:
    """Passes the first line of each stage on, then one every EVERY seconds."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stage = ""
        self._next = 0.0

    def __call__(self, text: str) -> None:
        stage = "".join(letter for letter in text if not letter.isdigit())
        now = time.monotonic()
        if stage == self._stage and now < self._next:
            return
        self._stage, self._next = stage, now + EVERY
        self._tell(text)

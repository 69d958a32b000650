"""The `colony` command. Start-up is kept light: each command imports what it needs when run."""

from __future__ import annotations

from colony.garbage import collect_less

__all__ = ["main"]


def main() -> None:
    """Runs the command line; the exit code tells the outcome (`docs/commands.md`)."""
    from colony.cli.app import run_app

    collect_less()
    run_app()

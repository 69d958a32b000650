"""Commands about this machine: setup, doctor."""

from __future__ import annotations

from dataclasses import asdict

from colony.cli import show

__all__ = ["doctor", "setup"]


def setup() -> int:
    from colony.setup import setup as do_setup

    do_setup(show.console().print)
    return 0


def doctor(output: str) -> int:
    from colony.doctor import doctor as look

    checks = look()
    if output == "json":
        show.as_json([asdict(check) for check in checks])
    else:
        rows = [["ok" if c.ok else "-", c.name, c.found, c.fix] for c in checks]
        show.table("", ["", "what", "found", "to do"], rows)
    return 0 if all(check.ok for check in checks) else 3

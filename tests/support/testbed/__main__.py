"""Builds the test bed's programs.

PYTHONPATH=tests/support python -m testbed             all that this machine can use
PYTHONPATH=tests/support python -m testbed NAME...     the named ones
"""

from __future__ import annotations

import sys
import time

from jobs.errors import NotReady
from testbed import build
from testbed.node import reason


def main() -> None:
    began = time.monotonic()
    names = sys.argv[1:] or [*build.CONTROL_PLANE]
    try:
        build.programs(*names, progress=build.Screen())
    except NotReady as error:
        sys.exit(f"testbed: {error}")
    if not sys.argv[1:]:
        _build_node()
    print(f"testbed: built after {time.monotonic() - began:.0f} s", flush=True)


def _build_node() -> None:
    """Where there can be no real node its tests are skipped, with this reason."""
    why = reason()
    if not why:
        try:
            build.programs(*build.NODE, progress=build.Screen())
        except NotReady as error:
            why = str(error)
    if why:
        print(f"testbed: NOT SHOWN HERE: no real node: {why}")


main()

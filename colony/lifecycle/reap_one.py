"""A process of `reap_many`: ends the colonies that stdin names, a line each.

What happens, and then what came of it, goes to stdout, a line of JSON each.

python -m colony.lifecycle.reap_one [--world DIR] [--backend URL]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from colony.lifecycle.opening import open_ground

__all__ = ["main"]


def main() -> int:
    """0, whatever came of them: that is in the JSON."""
    from colony.lifecycle.reap import reap

    parser = argparse.ArgumentParser(prog="reap_one")
    parser.add_argument("--world", type=Path)
    parser.add_argument("--backend", default="")
    asked = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # nothing else that is printed is mistaken for an answer

    def say(value: dict[str, Any]) -> None:
        out.write(json.dumps(value) + "\n")

    with open_ground(asked.world, asked.backend) as ground:
        for line in sys.stdin:
            (one,) = reap(ground, lambda text, at=None: say({"tell": text}), only=line.strip())
            ended = asdict(one.ended) if one.ended else None
            say({"verdict": asdict(one.verdict), "ended": ended, "error": one.error})
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Does ranking by expected cost pay? 500 seeded worlds, bought by both rankings, and lived.

    python tools/bench_life.py [--worlds 50] [--lives 20]

Only worlds in which the rankings choose different offers are counted: `--worlds` of each set of
parameters. Every world that the expected cost loses is printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from colony.lifecycle.ranking import PARAMETERS, Realised, differing

LINE = "{:<18} {:>7} {:>6} {:>10} {:>12} {:>12}"


def main() -> int:
    """Exit code 1 where the expected cost wins less than 95 % of the worlds."""
    options = _options()
    print(LINE.format("parameters", "worlds", "lost", "won", "$ expected", "$ sticker"))
    everything: list[Realised] = []
    for parameters in PARAMETERS:
        found = differing(parameters, options.worlds, options.lives)
        everything += found
        print(_line(parameters.name, found))
    print(_line("all", everything))
    for one in everything:
        if one.lost:
            more = (one.by_expected / one.by_sticker - 1) * 100
            print(f"lost: {one.parameters}, seed {one.seed}: ${one.by_expected:,.2f} against "
                  f"${one.by_sticker:,.2f}, {more:.2f} % more")  # fmt: skip
    return 0 if sum(one.lost for one in everything) <= 0.05 * len(everything) else 1


def _line(name: str, found: list[Realised]) -> str:
    lost = sum(one.lost for one in found)
    means = [
        statistics.fmean(getattr(one, which) for one in found)
        for which in ("by_expected", "by_sticker")
    ]
    won = f"{(1 - lost / len(found)) * 100:.1f} %"
    return LINE.format(name, len(found), lost, won, *(f"{mean:,.2f}" for mean in means))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--worlds", type=int, default=50, help="of each set of parameters")
    parser.add_argument("--lives", type=int, default=20, help="seeded lives of each choice")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())

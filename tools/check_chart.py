"""Check an entry of charts/ against the chart itself, and write down what was found.

    tools/check_chart.py gpu-operator FOLDER_OR_TGZ --tag v26.7.0 [--subchart grafana=FOLDER ...]

`colony charts check` does so for all entries where their repositories can be reached; this is for a
chart's source beside the project.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import charts  # noqa: E402
from colony.charting.paths import check, unpack, write  # noqa: E402


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        given: Path = args.chart
        chart = given if given.is_dir() else unpack(given.read_bytes(), Path(folder))
        found = check(charts.load()[args.layer], chart, dict(args.subchart))
    for line in found.unknown:
        print(f"{args.layer}: {line}", file=sys.stderr)
    if found.unknown:
        return 1
    write(charts.FOLDER / f"{args.layer}.yaml", args.tag, found)
    print(f"{args.layer}: {len(found.paths)} paths are in the chart at {args.tag}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("layer", choices=charts.names())
    parser.add_argument("chart", type=Path)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--subchart", action="append", default=[], type=_pair)
    return parser.parse_args()


def _pair(text: str) -> tuple[str, Path]:
    alias, _, folder = text.partition("=")
    return alias, Path(folder)


if __name__ == "__main__":
    raise SystemExit(main())

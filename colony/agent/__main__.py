"""`python -m colony.agent`, and what the zipapp runs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from colony.agent.client import Client, Unreachable, in_cluster
from colony.agent.loop import Agent, ElasticJob

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs until it is told to end. Exit code 78 where it is set up wrongly."""
    options = _parser().parse_args(arguments)
    try:
        jobs = _jobs(options.config)
        client = _client(options)
    except (OSError, ValueError, KeyError, TypeError, Unreachable) as error:
        print(f"colony-agent: {error}", file=sys.stderr)
        return 78
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    _say(f"looks after {', '.join(f'{job.namespace}/{job.name}' for job in jobs)}")
    Agent(client, jobs, _say).run(options.interval, options.rounds)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="colony-agent", description="Looks after elastic jobs.")
    parser.add_argument("--config", type=Path, required=True, help='JSON: {"jobs": [{…}]}')
    parser.add_argument("--server", help="the API server's URL; default: as a pod sees it")
    parser.add_argument("--ca", type=Path, help="its certificate authority")
    parser.add_argument("--token-file", type=Path, help="a service account's token")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks")
    parser.add_argument("--rounds", type=int, help="so many looks, then end")
    return parser


def _jobs(path: Path) -> list[ElasticJob]:
    found = json.loads(path.read_text(encoding="utf-8"))["jobs"]
    return [ElasticJob(namespace=each["namespace"], name=each["name"]) for each in found]


def _client(options: argparse.Namespace) -> Client:
    if options.server is None:
        return in_cluster()
    return Client(options.server, options.ca, options.token_file)


def _end(number: int, _frame: FrameType | None) -> None:
    """At once: whatever is half done is done again by the next."""
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    print(f"colony-agent: {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

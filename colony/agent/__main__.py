"""`python -m colony.agent`, and what the zipapp runs."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from colony.agent.client import Client, Unreachable, in_cluster
from colony.agent.completion_keeper import completion_keeper_of
from colony.agent.health_keeper import health_keeper_of
from colony.agent.idle_keeper import keeper_of
from colony.agent.loop import Agent, Beside, ElasticJob
from colony.agent.metrics import Bill, read_bill, serve

__all__ = ["main"]

PORT = 9464
"""Where Prometheus asks (components/agent.py names it)."""


def main(arguments: list[str] | None = None) -> int:
    """Runs until it is told to end. Exit code 78 where it is set up wrongly."""
    options = _parser().parse_args(arguments)
    try:
        jobs = _jobs(options.config)
        client = _client(options)
        beside = _beside(options.config, client)
        if options.bill:
            _bill(options.bill)
            serve(options.listen, lambda: _bill(options.bill))
    except (OSError, ValueError, KeyError, TypeError, Unreachable) as error:
        print(f"colony-agent: {error}", file=sys.stderr)
        return 78
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    names = [f"{job.namespace}/{job.name}" for job in jobs]
    names += [type(each).__name__ for each in beside]
    _say(f"looks after {', '.join(names) or 'no elastic job'}")
    Agent(client, jobs, _say, beside=beside).run(options.interval, options.rounds)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="colony-agent", description="Looks after elastic jobs.")
    parser.add_argument("--config", type=Path, required=True, help='JSON: {"jobs": [{…}]}')
    parser.add_argument("--server", help="the API server's URL; default: as a pod sees it")
    parser.add_argument("--ca", type=Path, help="its certificate authority")
    parser.add_argument("--token-file", type=Path, help="a service account's token")
    parser.add_argument("--bill", type=Path, help="JSON: recorded prices and lease, for /metrics")
    parser.add_argument("--listen", type=_address, default=("", PORT), help="HOST:PORT of /metrics")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks")
    parser.add_argument("--rounds", type=int, help="so many looks, then end")
    return parser


def _jobs(path: Path) -> list[ElasticJob]:
    found = json.loads(path.read_text(encoding="utf-8"))["jobs"]
    return [ElasticJob(namespace=each["namespace"], name=each["name"]) for each in found]


def _beside(path: Path, client: Client) -> list[Beside]:
    """What else the config asks for."""
    config = json.loads(path.read_text(encoding="utf-8"))
    found: list[Beside] = []
    if idle := config.get("idle"):
        found.append(keeper_of(idle, client, _say))
    if completion := config.get("completion"):
        found.append(completion_keeper_of(completion, client, _say))
    if health := config.get("health"):
        found.append(health_keeper_of(health, client, _say))
    return found


def _bill(path: Path) -> Bill:
    return read_bill(json.loads(path.read_text(encoding="utf-8")))


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


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

"""The launcher asks the scheduler who works for it, and has each worker add its number."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address = os.environ["DASK_SCHEDULER_ADDRESS"]
    me = {"rank": rank, "role": os.environ["COLONY_ROLE"]}
    try:
        import distributed
    except ImportError:
        together.say("Dask is not installed: a stand-in")
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        workers = together.ask(host, int(port), {"who": size - 1})
        return check(me, size, workers, [each["rank"] + 1 for each in workers])
    with distributed.Client(address) as client:
        client.wait_for_workers(size - 1)
        workers = list(client.run(who).values())
        numbers = client.gather(client.map(lambda each: each["rank"] + 1, workers))
        return check(me, size, workers, numbers)


def who() -> dict:
    """Runs on a worker."""
    return {"rank": int(os.environ["RANK"]), "role": os.environ["COLONY_ROLE"]}


def check(me: dict, size: int, workers: list[dict], numbers: list[int]) -> int:
    said = sorted([me, *workers], key=lambda each: each["rank"])
    return together.check(me["rank"], size, said, sum(numbers) + me["rank"] + 1)


if __name__ == "__main__":
    sys.exit(main())

"""The head asks every node of the Ray cluster for its number and adds them up."""

from __future__ import annotations

import os
import sys
import time

import together


def main() -> int:
    size = int(os.environ["WORLD_SIZE"])
    address = os.environ.get("RAY_ADDRESS", "127.0.0.1:6379")
    try:
        import ray
    except ImportError:
        together.say("Ray is not installed: a stand-in")
        host, _, port = address.rpartition(":")
        nodes = together.ask(host, int(port), {"who": size})
    else:
        nodes = with_ray(ray, size)
    nodes.sort(key=lambda each: each["rank"])
    return together.check(0, size, nodes, sum(each["rank"] + 1 for each in nodes))


def with_ray(ray, size: int) -> list[dict]:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.init(address="auto")
    end = time.monotonic() + together.PATIENCE
    while len(nodes := [node for node in ray.nodes() if node["Alive"]]) < size:
        if time.monotonic() > end:
            return []
        time.sleep(1)

    @ray.remote(num_cpus=0)
    def who() -> dict:
        return {"rank": int(os.environ["RANK"]), "role": os.environ["COLONY_ROLE"]}

    return ray.get(
        [
            who.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote()
            for node in nodes
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

"""Lets a world change what clouds change by themselves, refreshes a stack of it, and prints as JSON
what the next `up` would do.

refreshed.py WORLD STACK [bare]        bare: as if no change were ignored
"""

import json
import sys

from colony.lifecycle.simulated import Simulated
from colony.rehearsal.world import World
from components.ignored import table
from components.program import build


def main(folder, stack, *bare):
    with Simulated(World.open(folder)) as ground:
        if bare:
            table().clear()
            ground.engine.up(stack, build)  # a resource's own list is kept in the state
        changed = ground.world.drift()
        ground.engine._run("refresh", "--yes", "--skip-preview", stack=stack)
        counts = ground.engine.preview(stack, build).counts
    return {"changed": changed, "counts": counts}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

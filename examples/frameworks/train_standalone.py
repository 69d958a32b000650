"""Each pod is a world of its own: its processes must see each other and nobody else."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if size != int(os.environ["LOCAL_WORLD_SIZE"]):
        print("this pod is not a world of its own", file=sys.stderr)
        return 1
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    me = {"role": f"pod {os.environ['COLONY_POD_INDEX']}", "value": rank + 1}
    said = together.meet(rank, size, host, port, me)
    if {each["role"] for each in said} != {me["role"]}:
        print(f"there are others: {said}", file=sys.stderr)
        return 1
    return together.check(rank, size, said, sum(each["value"] for each in said))


if __name__ == "__main__":
    sys.exit(main())

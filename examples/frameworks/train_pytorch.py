"""Every rank adds its number; all must see the same sum. With PyTorch: an all-reduce over gloo."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    me = {"role": os.environ.get("COLONY_ROLE", ""), "value": rank + 1}
    try:
        import torch.distributed as dist
    except ImportError:
        together.say("PyTorch is not installed: a stand-in")
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        said = together.meet(rank, size, host, port, me)
        return together.check(rank, size, said, sum(each["value"] for each in said))
    return with_torch(dist, rank, size, me)


def with_torch(dist, rank: int, size: int, me: dict) -> int:
    import torch

    together.say(f"PyTorch {torch.__version__}")
    dist.init_process_group("gloo")
    total = torch.tensor([float(me["value"])])
    dist.all_reduce(total)
    said: list = [None] * size
    dist.all_gather_object(said, {"rank": rank, **me})
    dist.destroy_process_group()
    return together.check(rank, size, said, total.item())


if __name__ == "__main__":
    sys.exit(main())

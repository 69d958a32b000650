"""Every rank adds its number; all must see the same sum. With DeepSpeed: its communication."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    role = f"{os.environ.get('COLONY_ROLE')}-{os.environ.get('COLONY_POD_INDEX')}"
    try:
        import deepspeed
        import torch
        import torch.distributed as dist
    except ImportError:
        together.say("DeepSpeed is not installed: a stand-in")
        return stand_in(role)
    deepspeed.init_distributed()
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    total = torch.tensor([rank + 1.0]).cuda()
    dist.all_reduce(total)
    said: list = [None] * size
    dist.all_gather_object(said, {"rank": rank, "role": role})
    return together.check(rank, size, said, total.item())


def stand_in(role: str) -> int:
    rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
    size = int(os.environ["OMPI_COMM_WORLD_SIZE"])
    host, _, port = os.environ["MEET"].rpartition(":")
    said = together.meet(rank, size, host, int(port), {"role": role, "value": rank + 1})
    return together.check(rank, size, said, sum(each["value"] for each in said))


if __name__ == "__main__":
    sys.exit(main())

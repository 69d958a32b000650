"""Every rank adds its number; all must see the same sum. With Bagua: allreduce."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    me = {"role": os.environ.get("COLONY_ROLE", ""), "value": rank + 1}
    try:
        import bagua.torch_api as bagua
    except ImportError:
        together.say("Bagua is not installed: a stand-in")
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        said = together.meet(rank, size, host, port, me)
        return together.check(rank, size, said, sum(each["value"] for each in said))
    return with_bagua(bagua, rank, size, me)


def with_bagua(bagua, rank: int, size: int, me: dict) -> int:
    import torch
    import torch.distributed as dist

    torch.cuda.set_device(bagua.get_local_rank())
    bagua.init_process_group()
    sent, total = torch.tensor([float(me["value"])]).cuda(), torch.zeros(1).cuda()
    bagua.allreduce(sent, total, op=bagua.ReduceOp.SUM)
    said: list = [None] * size
    dist.all_gather_object(said, {"rank": rank, **me})
    return together.check(rank, size, said, total.item())


if __name__ == "__main__":
    sys.exit(main())

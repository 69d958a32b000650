"""Every rank adds its number; all must see the same sum. With Horovod: allreduce."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    role = f"{os.environ.get('COLONY_ROLE')}-{os.environ.get('COLONY_POD_INDEX')}"
    try:
        import horovod.torch as hvd
        import torch
    except ImportError:
        together.say("Horovod is not installed: a stand-in")
        return stand_in(role)
    hvd.init()
    rank, size = hvd.rank(), hvd.size()
    said = hvd.allgather_object({"rank": rank, "role": role})
    total = hvd.allreduce(torch.tensor([rank + 1.0]), op=hvd.Sum)
    return together.check(rank, size, said, total.item())


def stand_in(role: str) -> int:
    rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
    size = int(os.environ["OMPI_COMM_WORLD_SIZE"])
    host, _, port = os.environ["MEET"].rpartition(":")
    said = together.meet(rank, size, host, int(port), {"role": role, "value": rank + 1})
    return together.check(rank, size, said, sum(each["value"] for each in said))


if __name__ == "__main__":
    sys.exit(main())

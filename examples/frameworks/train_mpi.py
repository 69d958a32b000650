"""Every rank adds its number; all must see the same sum. With mpi4py: MPI_Allreduce."""

from __future__ import annotations

import os
import sys

import together


def main() -> int:
    role = f"{os.environ.get('COLONY_ROLE')}-{os.environ.get('COLONY_POD_INDEX')}"
    try:
        from mpi4py import MPI
    except ImportError:
        together.say("mpi4py is not installed: a stand-in")
        return stand_in(role)
    world = MPI.COMM_WORLD
    rank, size = world.Get_rank(), world.Get_size()
    said = world.allgather({"rank": rank, "role": role})
    return together.check(rank, size, said, world.allreduce(rank + 1))


def stand_in(role: str) -> int:
    rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
    size = int(os.environ["OMPI_COMM_WORLD_SIZE"])
    host, _, port = os.environ["MEET"].rpartition(":")
    said = together.meet(rank, size, host, int(port), {"role": role, "value": rank + 1})
    return together.check(rank, size, said, sum(each["value"] for each in said))


if __name__ == "__main__":
    sys.exit(main())

"""Measures an all-reduce, in each pod of `colony check`. One file, alone, run as it lies here.

By NCCL where there are CUDA devices, else by Gloo; without PyTorch by plain sockets, one process a
node: then only the path to the other nodes is shown. One line a node is printed, `colony-check
{…}`; bandwidths are GB/s of the bus, as nccl-tests count them: bytes * 2 (n-1)/n / time.
Exit code 1: the sum was wrong.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import struct
import sys
import time
from array import array
from typing import Any

BYTES = {"nccl": 1 << 30, "gloo": 1 << 22, "sockets": 1 << 16}
ROUNDS = {"nccl": 10, "gloo": 3, "sockets": 3}
PATIENCE = 120.0
"""Seconds until all are there."""


def main() -> int:
    found = importlib.util.find_spec("torch") is not None
    return report(*(by_torch() if found else by_sockets()))


def report(facts: dict[str, object], ok: bool) -> int:
    """`facts` of one process of the node; empty for the others."""
    if facts:
        print("colony-check " + json.dumps({**facts, "ok": ok}), flush=True)
    return 0 if ok else 1


def bus(size: int, ranks: int, seconds: float) -> float:
    """GB/s."""
    return size * 2 * (ranks - 1) / ranks / seconds / 1e9


def by_torch() -> tuple[dict[str, object], bool]:
    """Under torchrun: a process for each GPU."""
    import torch
    from torch import distributed

    cuda = torch.cuda.is_available()
    name = "nccl" if cuda else "gloo"
    local, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if cuda:
        torch.cuda.set_device(local)
    distributed.init_process_group(name)
    rank, size = distributed.get_rank(), distributed.get_world_size()
    groups = [distributed.new_group(list(range(i, i + here))) for i in range(0, size, here)]
    tensor = torch.empty(BYTES[name] // 4, device="cuda" if cuda else "cpu")

    def measure(group: Any, first: int, ranks: int) -> tuple[float | None, bool]:
        if ranks < 2:
            return None, True
        tensor.fill_(float(rank - first + 1))
        distributed.all_reduce(tensor, group=group)
        ok = bool((tensor == ranks * (ranks + 1) / 2).all())
        tensor.fill_(0.0)
        for _ in range(2):
            distributed.all_reduce(tensor, group=group)
        began = clock()
        for _ in range(ROUNDS[name]):
            distributed.all_reduce(tensor, group=group)
        return bus(BYTES[name], ranks, (clock() - began) / ROUNDS[name]), ok

    def clock() -> float:
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter()

    within, fine = measure(groups[rank // here], rank // here * here, here)
    distributed.barrier()
    across, right = measure(None, 0, size) if size > here else (None, True)
    distributed.barrier()
    distributed.destroy_process_group()
    facts = {"backend": name, "gpus": here, "within": within, "across": across}
    return (facts if local == 0 else {}), fine and right


def by_sockets() -> tuple[dict[str, object], bool]:
    """A star around rank 0, in turns: slow, and enough to show that all can reach it."""
    rank, size = int(os.environ["PET_NODE_RANK"]), int(os.environ["PET_NNODES"])
    facts: dict[str, object] = {"backend": "sockets", "gpus": 0, "within": None, "across": None}
    if size < 2:
        return facts, True
    others = _star(rank, size)
    ok, spent = True, 0.0
    for _ in range(ROUNDS["sockets"]):
        values = array("f", [float(rank + 1)]) * (BYTES["sockets"] // 4)
        began = time.perf_counter()
        total = _summed(values, others, rank)
        spent += time.perf_counter() - began
        ok = ok and set(total) == {size * (size + 1) / 2}
    for other in others:
        other.close()
    return {**facts, "across": bus(BYTES["sockets"], size, spent / ROUNDS["sockets"])}, ok


def _summed(values: array[float], others: list[socket.socket], rank: int) -> array[float]:
    if rank:
        _send(others[0], values.tobytes())
        return _floats(_receive(others[0]))
    for other in others:
        values = array("f", map(sum, zip(values, _floats(_receive(other)), strict=True)))
    for other in others:
        _send(other, values.tobytes())
    return values


def _star(rank: int, size: int) -> list[socket.socket]:
    """Rank 0 has all others; they have it."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if rank:
        return [_connected(host, port)]
    with socket.create_server((host, port)) as server:
        server.settimeout(PATIENCE)
        return [server.accept()[0] for _ in range(size - 1)]


def _connected(host: str, port: int) -> socket.socket:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((host, port), timeout=PATIENCE)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _send(to: socket.socket, data: bytes) -> None:
    to.sendall(struct.pack("!I", len(data)) + data)


def _receive(source: socket.socket) -> bytes:
    (length,) = struct.unpack("!I", _exactly(source, 4))
    return _exactly(source, length)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = source.recv(count - len(data))
        if not piece:
            raise ConnectionError("a rank went away")
        data += piece
    return data


def _floats(data: bytes) -> array[float]:
    found = array("f")
    found.frombytes(data)
    return found


if __name__ == "__main__":
    sys.exit(main())

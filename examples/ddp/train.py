"""Data-parallel training in plain Python: a small network, a shard for each rank, an all-reduce.

Rank 0 checks the outcome against the same training in a single process and writes
results/result.json. Settings from the environment: STEPS (60), SAMPLES (320), and
BREAK_ALLREDUCE=1, which leaves out the all-reduce to show that the check notices.
"""

from __future__ import annotations

import json
import math
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path

INPUTS, HIDDEN = 3, 6
WEIGHTS = HIDDEN * (INPUTS + 2) + 1
LEARNING_RATE = 0.05
TOLERANCE = 1e-6
PATIENCE = 60.0
"""Seconds: the other pods may start later, and a name may resolve before the port is open."""

Sample = tuple[list[float], float]


def main() -> int:
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    steps, count = int(os.environ.get("STEPS", "60")), int(os.environ.get("SAMPLES", "320"))
    data = samples(count)
    with_others = AllReduce(rank, size)
    weights = train(data[rank::size], count, steps, with_others, verbose=rank == 0)
    replicas = with_others.gather(weights)
    with_others.close()
    if rank != 0:
        return 0
    return check(weights, replicas, data, steps, size)


def samples(count: int) -> list[Sample]:
    """The same on every rank: a seeded, noisy function of the inputs."""
    chance = random.Random(7)
    data = []
    for _ in range(count):
        inputs = [chance.uniform(-1, 1) for _ in range(INPUTS)]
        target = math.sin(2 * inputs[0]) + inputs[1] * inputs[2] + chance.gauss(0, 0.05)
        data.append((inputs, target))
    return data


def train(
    shard: list[Sample], total: int, steps: int, with_others: AllReduce, verbose: bool
) -> list[float]:
    """Full-batch gradient descent; the gradient is the mean over all ranks' samples."""
    chance = random.Random(1)
    weights = [chance.uniform(-0.5, 0.5) for _ in range(WEIGHTS)]
    for step in range(steps):
        sums = with_others.sum(gradient(weights, shard))
        mean = [value / total for value in sums]
        weights = [w - LEARNING_RATE * g for w, g in zip(weights, mean[1:], strict=True)]
        if verbose and (step % 10 == 0 or step == steps - 1):
            print(f"step {step:3d}  loss {mean[0]:.9f}", flush=True)
    return weights


def gradient(weights: list[float], shard: list[Sample]) -> list[float]:
    """[sum of squared errors, d/dweight ...] over the shard: tanh layer, linear output."""
    sums = [0.0] * (WEIGHTS + 1)
    for inputs, target in shard:
        hidden, error = forward(weights, inputs, target)
        sums[0] += error * error
        sums[-1] += 2 * error
        for unit, value in enumerate(hidden):
            base = unit * (INPUTS + 2)
            back = 2 * error * weights[base + INPUTS + 1] * (1 - value * value)
            for i in range(INPUTS):
                sums[1 + base + i] += back * inputs[i]
            sums[1 + base + INPUTS] += back
            sums[1 + base + INPUTS + 1] += 2 * error * value
    return sums


def forward(weights: list[float], inputs: list[float], target: float) -> tuple[list[float], float]:
    """Per hidden unit: INPUTS weights, a bias, an output weight; last of all the output's bias."""
    hidden, output = [], weights[-1]
    for unit in range(HIDDEN):
        base = unit * (INPUTS + 2)
        value = weights[base + INPUTS]
        for i in range(INPUTS):
            value += weights[base + i] * inputs[i]
        hidden.append(math.tanh(value))
        output += weights[base + INPUTS + 1] * hidden[-1]
    return hidden, output - target


def loss(weights: list[float], data: list[Sample]) -> float:
    return sum(forward(weights, *sample)[1] ** 2 for sample in data) / len(data)


def check(
    weights: list[float], replicas: list[list[float]], data: list[Sample], steps: int, size: int
) -> int:
    """Against the truth: one process with all the data. Also writes the result."""
    alone = train(data, len(data), steps, AllReduce(0, 1), verbose=False)
    ours, truth = loss(weights, data), loss(alone, data)
    gaps = [abs(a - b) for other in replicas for a, b in zip(weights, other, strict=True)]
    apart = max(gaps, default=0.0)
    result = {"loss": ours, "single_process_loss": truth, "ranks": size, "steps": steps}
    Path("results").mkdir(exist_ok=True)
    Path("results/result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{size} ranks: loss {ours:.9f}; single process: {truth:.9f}", flush=True)
    if abs(ours - truth) <= TOLERANCE and apart <= TOLERANCE:
        return 0
    print(
        f"the training is not data-parallel: the losses differ by {abs(ours - truth):.3g},"
        f" the ranks' weights by {apart:.3g} (at most {TOLERANCE:g})",
        file=sys.stderr,
    )
    return 1


class AllReduce:
    """Sums vectors over all ranks: each sends to rank 0, which answers with the sum."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.broken = os.environ.get("BREAK_ALLREDUCE") == "1"
        self.peers: list[socket.socket] = []
        if size > 1:
            address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            self.peers = accept(address[1], size) if rank == 0 else [connect(address, rank)]

    def sum(self, vector: list[float]) -> list[float]:
        if self.size == 1 or self.broken:
            return [value * self.size for value in vector]
        total = vector
        for other in self.gather(vector):
            total = [a + b for a, b in zip(total, other, strict=True)]
        return self.broadcast(total)

    def gather(self, vector: list[float]) -> list[list[float]]:
        """Rank 0 gets the others' vectors in rank order; the others get nothing."""
        if self.rank == 0:
            return [receive(peer, len(vector)) for peer in self.peers]
        self.peers[0].sendall(pack(vector))
        return []

    def broadcast(self, vector: list[float]) -> list[float]:
        if self.rank != 0:
            return receive(self.peers[0], len(vector))
        for peer in self.peers:
            peer.sendall(pack(vector))
        return vector

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


def accept(port: int, size: int) -> list[socket.socket]:
    """One connection of every other rank, ordered by the rank that each sends first."""
    by_rank: dict[int, socket.socket] = {}
    with socket.create_server(("", port), backlog=size) as server:
        server.settimeout(PATIENCE)
        while len(by_rank) < size - 1:
            peer, _ = server.accept()
            prepare(peer)
            by_rank[int(receive(peer, 1)[0])] = peer
    return [by_rank[rank] for rank in sorted(by_rank)]


def connect(address: tuple[str, int], rank: int) -> socket.socket:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            peer = socket.create_connection(address, timeout=PATIENCE)
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
    prepare(peer)
    peer.sendall(pack([float(rank)]))
    return peer


def prepare(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.settimeout(PATIENCE)


def pack(vector: list[float]) -> bytes:
    return struct.pack(f"<{len(vector)}d", *vector)


def receive(peer: socket.socket, count: int) -> list[float]:
    data = bytearray()
    while len(data) < 8 * count:
        piece = peer.recv(8 * count - len(data))
        if not piece:
            raise ConnectionError("another rank has gone")
        data += piece
    return list(struct.unpack(f"<{count}d", data))


if __name__ == "__main__":
    sys.exit(main())

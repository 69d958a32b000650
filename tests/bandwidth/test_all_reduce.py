"""What each pod of `colony check` runs: by sockets for real, by PyTorch against a stand-in."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import colony.bandwidth.all_reduce as program

FILE = Path(program.__file__)


def test_three_ranks_reach_each_other_by_sockets():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # -S: no site packages, so no PyTorch
    ranks = [
        subprocess.Popen(
            [sys.executable, "-I", "-S", str(FILE)], text=True, stdout=subprocess.PIPE,
            env={**os.environ, "PET_NODE_RANK": str(rank), "PET_NNODES": "3",
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
        )
        for rank in range(3)
    ]  # fmt: skip
    for rank in ranks:
        out, _ = rank.communicate(timeout=60)
        said = json.loads(out.removeprefix("colony-check "))
        assert (rank.returncode, said["ok"], said["backend"]) == (0, True, "sockets")
        assert said["across"] > 0


def test_a_single_node_has_nobody_to_reach(monkeypatch):
    monkeypatch.setenv("PET_NODE_RANK", "0")
    monkeypatch.setenv("PET_NNODES", "1")
    facts, ok = program.by_sockets()
    assert (facts["across"], ok) == (None, True)


class Tensor:
    """Of one value."""

    def __init__(self):
        self.value = 0.0

    def fill_(self, value):
        self.value = value

    def __eq__(self, other):
        return SimpleNamespace(all=lambda: self.value == other)

    __hash__ = None


@pytest.fixture
def torch(monkeypatch):
    """Of what PyTorch has that much: rank 5 of 8, four a node, each rank filled with its number."""
    made = SimpleNamespace(groups=[], log=[], wrong=False)

    def all_reduce(tensor, group=None):
        ranks = len(group or range(8))
        made.log.append(ranks)
        tensor.value = ranks * (ranks + 1) / 2 + made.wrong

    def new_group(ranks):
        made.groups.append(ranks)
        return ranks

    distributed = ModuleType("torch.distributed")
    distributed.__dict__.update(
        init_process_group=lambda name: made.log.append(name), get_rank=lambda: 5,
        get_world_size=lambda: 8, new_group=new_group, all_reduce=all_reduce,
        barrier=lambda: made.log.append("barrier"), destroy_process_group=lambda: None,
    )  # fmt: skip
    torch = ModuleType("torch")
    torch.__dict__.update(
        cuda=SimpleNamespace(is_available=lambda: False), distributed=distributed,
        empty=lambda count, device: Tensor(),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.distributed", distributed)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "0")
    return made


def test_by_pytorch_each_node_is_measured_alone_and_then_all_of_them(torch):
    facts, ok = program.by_torch()
    assert ok and facts["backend"] == "gloo" and facts["gpus"] == 4
    assert facts["within"] > 0 and facts["across"] > 0
    assert torch.groups == [[0, 1, 2, 3], [4, 5, 6, 7]]  # by every rank, or NCCL waits for ever
    assert torch.log[0] == "gloo"
    first, last = torch.log.index(4), torch.log.index(8)
    assert first < torch.log.index("barrier") < last


def test_one_process_a_node_speaks(torch, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    facts, ok = program.by_torch()
    assert (facts, ok) == ({}, True)


def test_a_wrong_sum_is_a_failure(torch, capsys):
    torch.wrong = True
    assert program.report(*program.by_torch()) == 1
    assert json.loads(capsys.readouterr().out.removeprefix("colony-check "))["ok"] is False

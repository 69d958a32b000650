"""What the pods print, held against what such machines must reach."""

from __future__ import annotations

import json

import pytest

from colony.bandwidth.verdict import floors, judge, typical

H100 = {"accelerator": "H100", "gpus": 8, "nodes": 2, "instance_type": "p5.48xlarge"}
L4 = {"accelerator": "L4", "gpus": 4, "nodes": 2, "instance_type": "g6.12xlarge"}


def said(within, across, backend="nccl", ok=True):
    facts = {"backend": backend, "gpus": 8, "within": within, "across": across, "ok": ok}
    return f"NCCL version 2.27\ncolony-check {json.dumps(facts)}\nbye\n"


@pytest.mark.parametrize(
    "facts, within, across",
    [
        (H100, 400, 300),
        ({**H100, "gpus": 4}, None, 300),
        ({**H100, "instance_type": "a3-highgpu-8g"}, 400, None),
        ({**H100, "accelerator": "A100", "instance_type": "p4d.24xlarge"}, 200, 37.5),
        (L4, None, None),
    ],
)
def test_the_floors_follow_the_machine(facts, within, across):
    assert floors(facts) == (within, across)


@pytest.mark.parametrize(
    "text, problem",
    [
        (said(466, 360), ""),
        (said(400, 300), ""),
        (said(399, 360), "399 GB/s within the node, and 400 are expected"),
        (said(466, 40), "40 GB/s between nodes, and 300 are expected"),
        (said(None, 360), ""),
        (said(466, 360, ok=False), "the sum was wrong"),
        (said(0.001, 0.001, backend="gloo"), ""),
        (said(None, 0.001, backend="sockets", ok=False), "the sum was wrong"),
        ("", "nothing was measured: no log"),
        ("Traceback\nOSError: NCCL\n\n", "nothing was measured: OSError: NCCL"),
        ("colony-check {half", "nothing was measured: colony-check {half"),
        (said(10, 10) + said(466, 360), ""),
    ],
)  # fmt: skip
def test_a_node_is_judged_by_its_own_line(text, problem):
    [result] = judge("main", H100, {"n1": text})
    assert result.problem == problem


def test_what_is_not_known_is_measured_and_not_judged():
    [result] = judge("main", L4, {"n1": said(3, 0.1)})
    assert (result.within, result.across, result.problem) == (3, 0.1, "")


@pytest.mark.parametrize("facts", [H100, L4, {**H100, "nodes": 1}, {**L4, "gpus": 1}])
def test_what_a_rehearsal_says_is_fine(facts):
    usual = typical(facts)
    assert (usual[0] is None) == (facts["gpus"] == 1)
    assert (usual[1] is None) == (facts["nodes"] == 1)
    for value, floor in zip(usual, floors(facts), strict=True):
        assert value is None or floor is None or value * 0.97 > floor

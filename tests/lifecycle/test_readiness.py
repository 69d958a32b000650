"""The gate before Ready, lived: an operator whose device plugin comes later than its release."""

import json

import pytest
from colony_command import colony

from colony.rehearsal.world import World

pytestmark = pytest.mark.engine

COLONY = {
    "apiVersion": "colony/v1", "kind": "Colony", "name": "lab",
    "clusters": [{"name": "main", "cloud": "aws",
                  "pools": [{"name": "gpu", "accelerators": "H100:8", "nodes": 2}]}],
}  # fmt: skip
GPU, EFA = "nvidia.com/gpu", "vpc.amazonaws.com/efa"


@pytest.fixture
def world(tmp_path):
    def make(**late):
        faults = tmp_path / "faults.yaml"
        found = [{"op": "create", "urn": f"*-{name}", "type": "kubernetes:helm*", "late": seconds}
                 for name, seconds in late.items()]  # fmt: skip
        faults.write_text(json.dumps({"faults": found}))
        World.create(tmp_path / "world", faults=faults).close()
        return tmp_path / "world"

    (tmp_path / "colony.yaml").write_text(json.dumps(COLONY))
    return make


def status(world):
    (row,) = colony("status", "lab", "--world", world, "--format", "json").json
    return row["clusters"]


def test_a_gpu_cluster_is_ready_once_every_node_reports_its_gpus(world, tmp_path):
    folder = world(**{"gpu-operator": 600})
    done = colony("up", tmp_path / "colony.yaml", "--world", folder)
    assert done.code == 0, done.err
    waiting = f"waiting: main: 0 of 2 nodes of pool gpu have 8 of {GPU} to give"
    assert waiting in done.out
    assert done.out.index(waiting) < done.out.index("lab is up: ready 1 of 1")
    assert status(folder)["phase"] == "Ready"


def test_one_that_is_too_late_is_not_ready_until_it_is(world, tmp_path):
    folder = world(**{"aws-efa-k8s-device-plugin": 2500})
    done = colony("up", tmp_path / "colony.yaml", "--world", folder)
    assert done.code == 1
    assert f"after 30 minutes main: 0 of 2 nodes of pool gpu have 32 of {EFA}" in done.err
    seen = status(folder)
    assert (seen["phase"], seen["ready"]) == ("Provisioning", 0)
    assert seen["clusters"]["main"]["reason"] == "GpuNodesNotReady"
    again = colony("up", tmp_path / "colony.yaml", "--world", folder)
    assert (again.code, status(folder)["phase"]) == (0, "Ready"), again.err

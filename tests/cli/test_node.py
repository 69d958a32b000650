"""`colony node` on colonies of a simulated world: what is built, and what is left as it was."""

import json

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

COLONY = {
    "apiVersion": "colony/v1", "kind": "Colony", "name": "nodes", "ttl": "4h",
    "clusters": [
        {"name": "lab", "cloud": "onprem", "hosts": ["10.0.0.1", "10.0.0.2"]},
        {"name": "cloud", "cloud": "aws", "region": "us-east-1",
         "pools": [{"name": "gpu", "accelerators": "A10G:1", "nodes": 1}]},
    ],
    "layers": {"jobset": "off", "kueue": "off"},
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")
    path = folder / "colony.yaml"
    path.write_text(yaml.safe_dump(COLONY))
    faults = {"faults": [{"op": "create", "urn": "*host-10-0-0-66-k3s", "error": "unreachable",
                          "times": "always"}]}  # fmt: skip
    world = World.create(folder / "world", seed=3, faults=told(folder, faults))
    done = colony("up", path, "--yes", "--world", world.dir, deadline=280)
    assert done.code == 0, done.out + done.err
    yield world
    world.stop()


@pytest.fixture
def node(world):
    return lambda *words: colony(
        "node", *words, "--world", world.dir, "--format", "json", deadline=280
    )


def told(folder, faults):
    path = folder / "faults.yaml"
    path.write_text(yaml.safe_dump(faults))
    return path


def built(world):
    """Name -> inputs of what the state has."""
    path = world.dir / "state" / ".pulumi" / "stacks" / "colony" / "nodes.json"
    found = json.loads(path.read_text())["checkpoint"]["latest"]["resources"]
    return {each["urn"].rsplit("::", 1)[-1]: each.get("inputs", {}) for each in found}


def config(world):
    path = world.project_dir / "stacks" / "Pulumi.nodes.yaml"
    return {
        k: v for k, v in yaml.safe_load(path.read_text())["config"].items() if "secure" not in v
    }


def test_hosts_join_and_leave_and_pools_grow_and_shrink(node, world):
    before = config(world)
    done = node("add", "nodes/lab", "10.0.0.3", "ops@10.0.0.4:2222")
    assert done.code == 0, done.out + done.err
    assert done.json["hosts"] == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    assert {"nodes-lab-host-10-0-0-3-node", "nodes-lab-host-10-0-0-4-node"} <= built(world).keys()

    done = node("remove", "nodes/lab", "10.0.0.3", "10.0.0.4")
    assert done.code == 0, done.out + done.err
    assert not [name for name in built(world) if "10-0-0-3" in name or "10-0-0-4" in name]
    assert "nodes-lab-host-10-0-0-2-node" in built(world)

    done = node("add", "nodes/cloud", "gpu", "--count", "2")
    assert done.code == 0, done.out + done.err
    assert done.json["pools"]["gpu"] == 3
    assert built(world)["nodes-cloud-gpu"]["scalingConfig"]["desiredSize"] == 3
    done = node("remove", "nodes/cloud", "gpu", "--count", "2")
    assert done.code == 0, done.out + done.err
    assert built(world)["nodes-cloud-gpu"]["scalingConfig"]["desiredSize"] == 1
    assert config(world) == before


def test_a_host_that_cannot_join_is_named_and_taken_back(node, world):
    before, there = config(world), built(world).keys()
    done = node("add", "nodes/lab", "10.0.0.66")
    assert done.code == 1, done.out + done.err
    assert "host-10-0-0-66-k3s" in done.err
    assert "no route to host" in done.err
    assert built(world).keys() == there
    assert config(world) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "nodes", "10.0.0.9"], "names no cluster"),
        (["add", "nodse/lab", "10.0.0.9"], "did you mean nodes"),
        (["add", "nodes/lab", "a b"], "HOST[0]"),
        (["add", "nodes/lab", "10.0.0.9", "10.0.0.9"], "is in nodes/lab already"),
        (["add", "nodes/lab", "10.0.0.9", "--accelerators", "H1OO:8"], "unknown accelerator H1OO"),
        (["add", "nodes/cloud", "gpu", "--accelerators", "A10G:1"], "name the pool"),
        (["remove", "nodes/lab", "10.0.0.1"], "control plane"),
        (["remove", "nodes/cloud", "gpu"], "keeps at least 1"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(node, world, words, says):
    before = config(world)
    done = node(*words)
    assert done.code == 2, done.out + done.err
    assert says in done.err
    assert config(world) == before

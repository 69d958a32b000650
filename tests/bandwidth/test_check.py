"""`colony check` on a colony of a simulated world, as a user calls it."""

from __future__ import annotations

import json

import pytest
from colony_command import colony

from colony.lifecycle.simulated import Simulated
from colony.lifecycle.state import cluster_identifiers
from colony.rehearsal.world import World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

FILE = {
    "apiVersion": "colony/v1", "kind": "Colony", "name": "demo",
    "layers": {"kueue": "off", "jobset": "off"},
    "clusters": [{"name": "main", "cloud": "aws",
                  "pools": [{"name": "gpu", "accelerators": "H100:8", "nodes": 2}]}],
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """With a colony that is up: two nodes of eight H100s."""
    folder = tmp_path_factory.mktemp("check")
    World.create(folder / "world", seed=3).close()
    (folder / "colony.yaml").write_text(json.dumps(FILE))
    done = colony("up", folder / "colony.yaml", "--yes", "--world", folder / "world")
    assert done.code == 0, done.err
    return folder / "world"


def check(world, *more):
    return colony("check", "demo", "--world", world, "--format", "json", *more)


def left(world):
    """What is in the cluster's namespace of jobs."""
    with Simulated(World.open(world)) as ground:
        [identifier] = cluster_identifiers(ground.engine.export("demo")).values()
        kinds = ("Job.batch", "ConfigMap", "Service", "Pod", "Secret")
        return [
            each["metadata"]["name"]
            for kind in kinds
            for each in ground.world.objects(identifier, kind, "default")
        ]


def test_every_node_is_measured_and_nothing_of_it_is_left(world):
    before = left(world)
    done = check(world)
    assert done.code == 0, done.err
    nodes = done.json["nodes"]
    assert [each["node"] for each in nodes] == ["worker-0", "worker-1"]
    assert all(each["within"] > each["within_floor"] == 400 for each in nodes)
    assert all(each["across"] > each["across_floor"] == 300 for each in nodes)
    assert check(world).json == done.json  # one seed, one answer
    assert left(world) == before


def test_ranks_that_really_run_say_by_what(world):
    before = left(world)
    done = check(world, "--exec")
    assert done.code == 0, done.err
    assert {each["backend"] for each in done.json["nodes"]} <= {"sockets", "gloo"}
    assert all(each["across"] > 0 and not each["across_floor"] for each in done.json["nodes"])
    assert left(world) == before


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("demmo",), "did you mean demo?"),
        (("demo", "--cluster", "mian"), "did you mean `main`?"),
        (("demo", "--timeout", "soon"), "--timeout"),
    ],
)
def test_what_cannot_be_meant_is_refused(world, arguments, words):
    done = colony("check", *arguments, "--world", world)
    assert (done.code, words in done.err) == (2, True)


def test_exec_needs_a_world(tmp_path):
    done = colony("check", "demo", "--exec", cwd=tmp_path)
    assert (done.code, "--world" in done.err) == (2, True)

"""A host of one's own is off, or somebody else's, while a colony comes up: on the real engine."""

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import World, left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

COMMAND = "command:remote:Command"
OFF = {"op": "create", "type": COMMAND, "urn": "*10-0-0-2-k3s", "error": "unreachable"}
KEY = {**OFF, "error": "key"}
IN_USE = {"op": "create", "type": COMMAND, "urn": "*-server", "error": "in_use"}
LAB = {
    "name": "lab",
    "cloud": "onprem",
    "ssh": {"user": "ops"},
    "hosts": [
        {"address": "10.0.0.1", "cpus": 16, "memory": 64},
        {"address": "10.0.0.2", "accelerators": "A10G:1", "cpus": 64, "memory": 512},
    ],
}
CLOUD = {"name": "cloud", "cloud": "aws", "region": "us-east-1"}


@pytest.fixture
def started(tmp_path):
    """A command on the colony, in a world with that fault."""

    def start(command, fault, **job):
        world = tmp_path / "world"
        World.create(world, faults={"faults": [fault]}).close()
        need = {"resources": {"accelerators": "A10G:1"}, "run": "nvidia-smi"}
        head = {"name": "wide", "clusters": [LAB, CLOUD]}
        documents = [
            {"apiVersion": "colony/v1", "kind": "Colony", **head},
            {"apiVersion": "colony/v1", "kind": "Job", "name": "train", "colony": "wide"}
            | need
            | job,
        ]
        file = tmp_path / "wide.yaml"
        file.write_text(yaml.safe_dump_all(documents))
        return colony(command, file, "--yes", "--world", world, "--format", "json"), world

    return start


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OFF, "no route to host"),
        (KEY, "unable to authenticate"),
        (IN_USE, "k3s is already here"),
    ],
)
def test_the_job_runs_on_the_cluster_of_a_cloud_and_the_hosts_are_given_back(started, fault, code):
    done, world = started("run", fault)
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert "lab refused and is left out" in done.err
    refused = [each for each in done.json["attempts"] if each["result"] == "failed"]
    assert [(each["cluster"], each["cloud"], each["code"]) for each in refused] == [
        ("lab", "onprem", code)
    ]
    assert left(world) == []
    [incident] = world.rglob("incident.jsonl")
    again = colony("replay", incident)
    assert again.code == 0, again.out + again.err


@pytest.mark.parametrize(
    ("fault", "code", "text"), [(OFF, 1, "no route to host"), (KEY, 3, "unable to authenticate")]
)
def test_a_job_that_names_the_cluster_goes_to_no_other(started, fault, code, text):
    """A key that no host takes is this machine's lack, as a cloud's credentials are."""
    done, world = started("run", fault, cluster="lab")
    assert (done.code, done.json["outcome"]) == (code, "failed"), done.err
    assert text in done.err and "job train names cluster lab" in done.err
    assert "wide-lab-host-10-0-0-2-k3s: " in done.err, "which machine it is"
    assert left(world) == []


@pytest.mark.parametrize(
    ("fault", "code", "reason"), [(OFF, 1, "HostFailed"), (KEY, 3, "NotAuthorized")]
)
def test_up_leaves_out_no_cluster_of_the_file_and_the_next_one_makes_it(
    started, tmp_path, fault, code, reason
):
    done, world = started("up", {**fault, "times": 1})
    assert done.code == code, done.out
    assert "these machines are the file's own" in done.err
    assert f"ready 1 of 2: lab ({reason}); what is up stays" in done.err
    again = colony("up", tmp_path / "wide.yaml", "--yes", "--world", world)
    assert again.code == 0, again.err
    assert colony("down", "wide", "--world", world).code == 0
    assert left(world) == []

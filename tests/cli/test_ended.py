"""Commands about a colony that has ended: its receipt stands; nobody sees the engine's words."""

import json

import pytest
from colony_command import colony, task

from colony.rehearsal.world import World

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The world of a colony that has lived its life."""
    folder = tmp_path_factory.mktemp("ended")
    done = colony("rehearse", task(folder), "--report", folder / "world")
    assert done.code == 0, done.err
    return folder / "world"


def test_to_end_it_again_changes_nothing(ended):
    records = ended / "state" / ".colony" / "colony" / "tiny"
    before = {path: path.read_bytes() for path in records.rglob("*.json*")}
    done = colony("down", "tiny", "--world", ended)
    assert (done.code, "tiny had ended (succeeded); nothing left" in done.out) == (0, True)
    after = {path: path.read_bytes() for path in records.rglob("*.json*")}
    assert after == before
    assert "the ledger agrees" in colony("history", "tiny", "--world", ended).out


@pytest.mark.parametrize("command", ["kubeconfig", "check", "drift"])
def test_what_needs_it_alive_says_that_it_is_not(ended, command):
    done = colony(command, "tiny", "--world", ended)
    assert done.code == 2
    assert "tiny is not there any more (`colony history tiny` says how it ended)" in done.err


def test_what_ends_a_detached_colony_tells_its_time_from_the_beginning_of_its_life(tmp_path):
    world = tmp_path / "world"
    World.create(world).close()
    assert colony("up", task(tmp_path), "--yes", "--world", world).code == 0
    done = colony("down", "tiny", "--yes", "--world", world)
    assert done.code == 0, done.err
    [receipt] = world.rglob("receipt.json")
    known = json.loads(receipt.read_text())
    at = [event["at"] for event in known["events"]]
    assert at and 0 < min(at) <= max(at) <= known["virtual_seconds"]

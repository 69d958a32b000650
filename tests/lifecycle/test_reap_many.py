"""Several colonies at once: each ends by itself, and a bad one holds up no other."""

from __future__ import annotations

import pytest
from clones import brought_up, clone, spoil
from served import served

from colony.lifecycle.ground import records_of
from colony.lifecycle.reap import reap
from colony.rehearsal.world import left

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Three colonies whose lease has ended, of which one has a state that nobody can read."""
    world = brought_up(tmp_path_factory.mktemp("many"))
    clone(world, "tiny", ["bad", "good"])
    spoil(world, "bad")
    return world


def test_a_bad_one_holds_up_no_other(world):
    said = []
    with served(world) as ground:
        assert ground.engine.stacks() == ["bad", "good", "tiny"]
        ground.world.advance(2 * 3600 + 60)
        found = {
            each.verdict.stack: each for each in reap(ground, lambda t, at=None: said.append(t))
        }
        receipts = {name: records_of(ground, name).read("receipt") for name in found}
    assert {name: one.clean for name, one in found.items()} == {
        "bad": False, "good": True, "tiny": True,
    }  # fmt: skip
    assert found["bad"].ended.doubt.startswith("the state is not empty: ")
    assert found["bad"].ended.swept, "by tag it is found all the same"
    assert receipts["good"]["clean"]
    assert left(world) == []
    assert any("good" in line for line in said)

"""Where records go with their stack, the stack stays until nothing is in doubt."""

from __future__ import annotations

import pytest
from lifecycle_fakes import FakeGround, thing

from colony.lifecycle.teardown import end_colony
from colony.storage.folder import Folder


class Tags(Folder):
    """Records that go with the stack, as those of Pulumi Cloud."""

    durable = False


class Engine:
    """A stack that is destroyed at once, and whether it was removed."""

    def __init__(self):
        self.there = ["demo"]

    def stacks(self):
        return self.there

    def locks(self, stack):
        return []

    def export(self, stack, secrets=False):
        return {}

    def destroy(self, stack):
        return None

    def remove(self, stack):
        self.there.remove(stack)


@pytest.mark.parametrize(
    ("kind", "left", "stays"),
    [(Tags, True, True), (Tags, False, False), (Folder, True, False)],
)
def test_an_empty_stack_stays_while_something_is_left(tmp_path, kind, left, stays):
    things = [thing("disk"), thing("user")] if left else []
    ground = FakeGround(things, blocked={"disk": "user", "user": "disk"})
    ground.storage, ground.engine = kind(tmp_path), Engine()
    ground.settle_destroy = lambda before, since: []
    ended = end_colony(ground, "demo", lambda text, at=None: None)
    assert (ended.empty, ended.clean) == (True, not left)
    assert (ground.engine.there == ["demo"]) is stays

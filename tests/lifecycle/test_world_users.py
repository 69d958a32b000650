"""A world's server is there as long as one command uses it, and not longer."""

import json

import psutil
import pytest
from colony_command import Running, colony, task
from processes import is_gone

from colony.rehearsal.world import World

pytestmark = pytest.mark.engine


def server(world):
    return psutil.Process(json.loads((world / "server.json").read_text())["pid"])


@pytest.fixture
def running(tmp_path):
    """A run whose job works until the file `end` is there: (run, world, end)."""
    world, mark, end = (tmp_path / name for name in ("world", "mark", "end"))
    World.create(world).close()
    file = task(tmp_path, f"touch {mark}; while ! test -e {end}; do sleep 0.1; done")
    run = Running("run", file, "--yes", "--exec", "--world", world).until(mark.exists)
    yield run, world, end
    end.touch()


def test_a_command_that_ends_leaves_the_server_to_the_one_that_goes_on(running):
    run, world, end = running
    found = server(world)
    for command in ("status", "reap", "sweep"):
        done = colony(command, "--world", world)
        assert done.code in (0, 4), done.err
        assert server(world).pid == found.pid and found.is_running()
    end.touch()
    done = run.end()
    assert done.code == 0, done.err
    assert is_gone(found.pid)
    assert not (world / "server.json").exists()


def test_who_comes_second_ends_it_where_the_first_is_killed(running):
    """The kernel takes a dead user's lock away."""
    run, world, _ = running
    found = server(world)
    run.kill()
    assert found.is_running()
    done = colony("reap", "--world", world)
    assert done.code == 0, done.err
    assert is_gone(found.pid)

"""One stack config, several machines: the newest wins, never over what was written by hand."""

from __future__ import annotations

import pytest

from colony.stack_files import StackFiles, plain_config
from colony.storage.folder import Folder


class Machine:
    """A checkout, and the folder of its user for the backend."""

    def __init__(self, home, bucket):
        self.project, self.storage = home / "project", Folder(bucket)
        self.storage.root, self._bucket = home / "own", Folder(bucket)
        self.storage.read = self._bucket.read
        self.storage.write, self.storage.delete = self._bucket.write, self._bucket.delete
        (self.project / "stacks").mkdir(parents=True)
        (self.project / "Pulumi.yaml").write_text("name: colony\nstackConfigDir: stacks\n")
        self.file = self.project / "stacks" / "Pulumi.demo.yaml"

    @property
    def files(self):
        """Those of one command."""
        return StackFiles(self.project, self.storage)

    def write(self, text):
        self.file.write_text(text)
        self.files.keep("demo")

    def read(self):
        self.files.fetch("demo")
        return self.file.read_text() if self.file.exists() else None


@pytest.fixture
def two(tmp_path):
    return [Machine(tmp_path / name, tmp_path / "bucket") for name in ("here", "there")]


def test_a_machine_without_the_file_gets_it(two):
    here, there = two
    assert there.read() is None
    here.write("nodes: 2")
    assert there.read() == "nodes: 2"


def test_what_another_machine_kept_since_is_taken(two):
    """Else an `extend` here would put the colony back to what it was when this machine saw it."""
    here, there = two
    here.write("nodes: 2")
    there.read()
    there.write("nodes: 4")
    assert here.read() == "nodes: 4"
    here.write("nodes: 8")
    assert there.read() == "nodes: 8"


def test_what_was_changed_by_hand_stays(two):
    here, there = two
    here.write("nodes: 2")
    there.read()
    there.write("nodes: 4")
    here.file.write_text("nodes: 3")
    assert here.read() == "nodes: 3"


def test_a_file_that_the_backend_never_saw_stays(two):
    here, there = two
    there.write("nodes: 4")
    here.file.write_text("nodes: 3")
    assert here.read() == "nodes: 3"


def test_within_a_command_the_backend_is_asked_once(two):
    here, there = two
    here.write("nodes: 2")
    files = there.files
    files.fetch("demo")
    here.write("nodes: 4")
    files.fetch("demo")
    assert there.file.read_text() == "nodes: 2"
    there.file.unlink()
    files.fetch("demo")
    assert there.file.read_text() == "nodes: 4"


def test_the_next_stack_of_that_name_starts_anew(two):
    here, there = two
    here.write("nodes: 2")
    here.file.unlink()
    here.files.forget("demo")
    assert there.read() is None


def test_what_another_machine_has_ended_is_forgotten_here_but_for_what_was_changed_by_hand(two):
    """Else the next of that name would begin with the layers and kubeconfigs of the last."""
    here, there = two
    here.write("found: kueue")
    there.read()
    here.file.unlink()
    here.files.forget("demo")
    assert there.read() is None
    there.file.write_text("nodes: 3")
    assert there.read() == "nodes: 3"


@pytest.mark.parametrize(
    "text",
    [
        "config:\n  a:b: {secure: v1:abc}\n",
        "config:\n  a:b:\n    deep:\n      secure: v1:abc\n",
        "environment: [shared]\nconfig: {}\n",
    ],
)
def test_the_cli_is_asked_for_secrets_and_for_what_is_elsewhere(two, text):
    two[0].write(text)
    assert plain_config(two[0].project, "demo") is None


def test_a_file_that_is_not_there_or_empty(two):
    project = two[0].project
    assert plain_config(project, "demo") is None
    two[0].write("encryptionsalt: v1:abc\n")
    assert plain_config(project, "demo") == {}

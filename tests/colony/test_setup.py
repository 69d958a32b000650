import io
import sys
from pathlib import Path

import pytest

from colony import setup as room
from colony.toolchain import Cli
from jobs.errors import NotReady

CLI = Cli(Path("/cache/bin/pulumi"), "3.255.0", "cache (built)")


@pytest.fixture
def machine(monkeypatch):
    """A machine without a CLI, whose build says `lines`."""

    def make(*lines):
        def build(progress):
            for line in lines:
                progress(line)
            return CLI

        def missing():
            raise NotReady("none")

        monkeypatch.setattr(room, "find_cli", missing)
        monkeypatch.setattr(room, "ensure_cli", build)

    return make


def test_with_a_cli_there_is_nothing_to_do(monkeypatch):
    monkeypatch.setattr(room, "find_cli", lambda: CLI)
    said = []
    assert room.setup(said.append) == CLI
    assert said == ["Pulumi CLI 3.255.0: /cache/bin/pulumi (cache (built)); nothing to do"]


def test_what_was_made_is_said_at_the_end(machine):
    machine("trying")
    said = []
    assert room.setup(said.append) == CLI
    assert said[0] == "trying"
    assert said[-1].startswith("Pulumi CLI 3.255.0: /cache/bin/pulumi (cache (built)), made in ")


def test_lines_that_only_count_on_are_told_now_and_then(machine, monkeypatch):
    clock = iter([0.0, *range(30), 30.0])
    monkeypatch.setattr(room.time, "monotonic", lambda: next(clock))
    machine(*[f"building: {n} of 1655" for n in range(26)], "built")
    said = []
    room.setup(said.append)
    assert said[:4] == [
        "building: 0 of 1655",
        "building: 10 of 1655",
        "building: 20 of 1655",
        "built",
    ]


def test_on_a_terminal_one_line_is_rewritten(machine, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    machine("building: 1 of 3")
    said = []
    room.setup(said.append)
    assert len(said) == 1
    assert "building" not in said[0]

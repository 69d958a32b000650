import os
import signal
import time

import pytest
from processes import is_gone

from colony import command
from colony.command import CliFailed, Runner


@pytest.fixture(autouse=True)
def interruptible():
    """A background job, and a worker of pytest-xdist, would ignore SIGINT, and so would a child."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def runner(tmp_path):
    """Makes a runner of a CLI that is a shell script."""

    def make(script, **environment):
        path = tmp_path / "pulumi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Runner(path, "3.255.0", {"PATH": os.defpath, **environment})

    return make


def run(runner, *args, **more):
    return runner.run(list(args), "/", {}, **more)


def test_the_child_sees_only_the_environment_it_is_given(runner, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the user")
    seen = run(runner("env", GIVEN="1")).stdout.splitlines()
    assert "GIVEN=1" in seen
    assert not [line for line in seen if line.startswith("AWS_")]


def test_it_is_never_interactive_and_its_words_are_returned(runner):
    assert run(runner('echo "$@"'), "stack", "ls").stdout == "--non-interactive stack ls"


def test_standard_input_is_what_was_given_and_then_ends(runner):
    assert run(runner("cat"), stdin="hush").stdout == "hush"
    assert run(runner("cat")).stdout == ""


def test_a_child_that_does_not_read_its_input_does_no_harm(runner):
    assert run(runner("echo done"), stdin="x" * 1_000_000).stdout == "done"


def test_a_failure_says_the_command_and_its_own_words(runner):
    with pytest.raises(CliFailed, match=r"^pulumi up: no such stack$") as caught:
        run(runner("echo no such stack >&2; exit 255"), "up")
    assert caught.value.result.code == 255


def test_a_killed_child_is_a_failure_that_says_so(runner):
    with pytest.raises(CliFailed, match="killed by signal 9"):
        run(runner("kill -9 $$"), "up")


SLOW = """
trap 'echo stopping; exit 1' INT
echo ready
while :; do sleep 0.02; done
"""


def test_an_interrupt_from_outside_lets_the_child_finish(runner):
    slow = runner(SLOW)
    with pytest.raises(CliFailed) as caught:
        run(slow, "up", on_output=lambda line: line == "ready" and slow.interrupt())
    assert caught.value.stopped == "interrupted"
    assert caught.value.result.stdout == "ready\nstopping"


def test_ctrl_c_reaches_the_child_exactly_once_and_is_not_lost(runner, tmp_path):
    slow = runner(SLOW.replace("echo stopping", f"echo stopping >> {tmp_path}/said"))

    def ctrl_c(line):
        if line == "ready":
            os.kill(os.getpid(), signal.SIGINT)

    # it may come while the threads are still being started: then it stays what it is
    with pytest.raises((CliFailed, KeyboardInterrupt)):
        run(slow, "up", on_output=ctrl_c)
    assert (tmp_path / "said").read_text() == "stopping\n"
    assert slow.pid is None


def test_the_child_is_not_in_our_process_group(runner):
    own = run(runner("ps -o pgid= -p $$")).stdout.strip()
    assert int(own) != os.getpgrp()


def test_late_and_deaf_ends_killed_with_all_that_it_started(runner, monkeypatch):
    monkeypatch.setattr(command, "TICK", 0.02)
    monkeypatch.setattr(command, "GRACE", 0.05)
    monkeypatch.setattr(command, "ABANDON", 0.05)
    deaf = runner("trap '' INT; sleep 60 & echo $!; wait; wait; wait; sleep 60")
    deaf.timeout = 0.1
    began = time.monotonic()
    with pytest.raises(CliFailed) as caught:
        run(deaf, "destroy")
    assert caught.value.stopped == "timed out"
    assert time.monotonic() - began < 10
    assert is_gone(int(caught.value.result.stdout.split()[0]))


def test_an_interrupt_between_two_calls_does_not_fail_the_next(runner):
    idle = runner("echo fine")
    idle.interrupt()
    assert run(idle).stdout == "fine"
    assert idle.pid is None

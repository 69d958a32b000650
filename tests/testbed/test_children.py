"""Processes of the test bed end with it, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import is_gone
from testbed.children import Child, ChildError, free_ports

SUPPORT = Path(__file__).resolve().parent.parent / "support"


def child(tmp_path, script, **more):
    return Child("child", ["/bin/sh", "-c", script], tmp_path / "log", **more)


def test_its_output_is_in_its_log(tmp_path):
    one = child(tmp_path, "echo ready; exec sleep 60")
    one.wait_ready(lambda: one.said("ready"), 10)
    assert one.is_running()
    one.stop()
    assert not one.is_running()


def test_one_that_ends_before_it_is_ready_says_its_last_words(tmp_path):
    one = child(tmp_path, "echo no such flag; exit 3")
    with pytest.raises(ChildError, match="child ended with 3:\nno such flag"):
        one.wait_ready(lambda: False, 10)
    one.stop()


def test_one_that_is_late_says_so(tmp_path):
    one = child(tmp_path, "echo busy; exec sleep 60")
    one.wait_ready(lambda: one.said("busy"), 10)
    with pytest.raises(ChildError, match="not ready after 0 s:\nbusy"):
        one.wait_ready(lambda: False, 0)
    one.stop()


def test_stop_ends_what_it_started_too(tmp_path):
    one = child(tmp_path, "trap '' TERM; sleep 60 & echo $!; wait", clean=True)
    one.wait_ready(lambda: one.said("\n"), 10)
    grandchild = int(one.log.read_text())
    one.stop(kindly=False)
    assert is_gone(grandchild)


def test_a_clean_one_sees_nothing_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://nowhere:1")
    one = child(tmp_path, "env; echo done", environment={"OWN": "1"}, clean=True)
    one.wait_ready(lambda: one.said("done"), 10)
    seen = {line.partition("=")[0] for line in one.log.read_text().splitlines()}
    assert "OWN" in seen
    assert "HTTPS_PROXY" not in seen
    one.stop()


def test_it_dies_with_an_owner_that_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from testbed.children import Child;"
        f"one = Child('x', ['/bin/sleep', '600'], Path({str(tmp_path / 'log')!r}));"
        "one.wait_ready(lambda: 'sleep' in Path(f'/proc/{one.pid}/cmdline').read_text()"
        " and 'leash' not in Path(f'/proc/{one.pid}/cmdline').read_text(), 10);"
        "print(one.pid, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        assert not subprocess.run(["kill", "-0", str(pid)], check=False).returncode
        owner.send_signal(signal.SIGKILL)
    assert is_gone(pid)


def test_ports_are_free_and_different():
    ports = free_ports(50)
    assert len(set(ports)) == 50

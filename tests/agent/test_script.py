"""elastic.sh really run: what the launcher's pod does."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from elastic_world import SPEC

from colony.agent.codec import write_state
from colony.agent.model import DRAINING, Departure, Request, Scaling, State


@dataclass
class Pod:
    """The launcher's file system."""

    root: Path

    def mount(self, state: State) -> None:
        folder = self.root / "elastic"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, text in write_state(SPEC, state).items():
            (folder / name).write_text(text)

    def run(self, *words: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "COLONY_HOME": str(self.root / "home"),
            "COLONY_PROC": str(self.root / "proc"),
        }
        command = ["bash", str(self.root / "elastic" / "elastic.sh"), *words]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )

    def probe(self) -> bool:
        done = self.run("probe")
        assert done.stderr == ""
        return done.returncode == 0

    def process(self, *words: str) -> Path:
        folder = self.root / "proc" / str(len(list((self.root / "proc").iterdir())) + 1)
        folder.mkdir()
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        return folder / "cmdline"


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    (tmp_path / "proc").mkdir()
    return Pod(tmp_path)


def leaving(name: str = "demo-worker-1", generation: int = 1) -> State:
    return State(
        target=["demo-worker-0"],
        hosts=["demo-worker-0"],
        departing={name: Departure(generation, 0, "")},
        generation=generation,
    )


def test_it_is_ready_until_something_is_new_and_again_when_it_is_dealt_with(pod: Pod) -> None:
    pod.mount(State())
    assert [pod.probe(), pod.probe()] == [True, True]
    pod.mount(leaving())
    assert [pod.probe(), pod.probe(), pod.probe()] == [False, True, True]


@pytest.mark.parametrize(
    ("words", "free"),
    [
        (["ssh", "-F", "x", "demo-worker-1.demo", "orted"], False),
        (["/usr/bin/ssh", "root@demo-worker-1"], False),
        (["kubectl", "exec", "demo-worker-1", "--", "sh"], False),
        (["ssh", "demo-worker-10.demo", "orted"], True),
        (["ssh", "demo-worker-11", "echo demo-worker-100"], True),
        (["ssh", "x-demo-worker-1"], True),
        (["python", "train.py", "--hosts", "demo-worker-1"], True),
        (["ssh-agent", "demo-worker-1"], True),
    ],
)
def test_a_process_is_attached_by_the_whole_name(pod: Pod, words: list[str], free: bool) -> None:
    pod.mount(State())
    pod.probe()
    running = pod.process(*words)
    pod.mount(leaving())
    pod.probe()
    assert pod.probe() is free
    running.unlink()
    assert pod.probe()


def test_a_longer_name_that_leaves_is_another(pod: Pod) -> None:
    pod.mount(State())
    pod.probe()
    pod.process("ssh", "demo-worker-1")
    pod.mount(leaving("demo-worker-10"))
    pod.probe()
    assert pod.probe()


def test_nobody_leaving_means_that_nothing_is_held(pod: Pod) -> None:
    pod.mount(State())
    pod.process("ssh", "demo-worker-1")
    assert pod.probe()


def hooked(script: str, **env: str) -> State:
    state = leaving()
    request = Request("r1", "in", count=1, timeout=5, script=script, env=env)
    state.scaling = Scaling(request, DRAINING, ["demo-worker-1", "demo-worker-2"], 0)
    return state


def probes(pod: Pod, seconds: float = 10) -> bool:
    """Until it is ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if pod.probe():
            return True
    return False


@pytest.mark.parametrize(
    "script",
    ['echo "$1 $COLONY_SCALED $WORD" >OUT\n# two lines', '#!/bin/sh\necho "$1 $1 $WORD" >OUT\n'],
)
def test_a_script_is_told_of_the_workers_and_waited_for(pod: Pod, script: str) -> None:
    out = pod.root / "out"
    pod.mount(State())
    pod.probe()
    pod.mount(hooked(script.replace("OUT", str(out)), WORD="it's"))
    assert not pod.probe()
    assert probes(pod)
    pods = "demo-worker-1:2,demo-worker-2:2"
    assert out.read_text() == f"{pods} {pods} it's\n"


def test_a_command_line_gets_the_workers_as_its_last_argument(pod: Pod) -> None:
    out = pod.root / "out"
    pod.mount(State())
    pod.probe()
    pod.mount(hooked(f"touch {out} && test --delete != "))
    assert probes(pod)
    assert out.exists()


def test_a_script_that_fails_keeps_the_launcher_unready_until_it_is_withdrawn(pod: Pod) -> None:
    pod.mount(State())
    pod.probe()
    pod.mount(hooked("exit 3\n#"))
    assert not probes(pod, 0.5)
    assert (pod.root / "home/.elastic/hook.r1").read_text() == "3\n"
    pod.mount(leaving())
    assert pod.probe()


def test_waiting_ends_when_all_run_or_when_time_is_over(pod: Pod) -> None:
    pod.mount(State(target=["demo-worker-0", "demo-worker-1"], hosts=["demo-worker-0"]))
    late = pod.run("wait", "1")
    assert (late.returncode, late.stderr) == (124, "colony: 1 of 2 workers run after 1 seconds\n")
    pod.mount(State(target=["demo-worker-0"], hosts=["demo-worker-0"]))
    assert pod.run("wait", "1").returncode == 0


def test_the_discovery_script_prints_the_hosts(pod: Pod) -> None:
    pod.mount(leaving())
    script = pod.root / "elastic" / "discover_hosts.sh"
    script.chmod(0o755)
    done = subprocess.run([script], capture_output=True, text=True, check=True)
    assert done.stdout == "demo-worker-0.demo:2\n"

"""The `colony` command as a user runs it: a process of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DEADLINE = 300.0


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def command(*args):
    return [sys.executable, "-m", "colony", *map(str, args)]


def colony(*args, cwd=None, deadline=DEADLINE, **env):
    done = subprocess.run(
        command(*args), cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True,
        timeout=deadline, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


class Running:
    """A command under way, in a session of its own."""

    def __init__(self, *args, cwd=None, **env):
        self._process = subprocess.Popen(
            command(*args), cwd=cwd, env={**os.environ, **env}, text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self):
        return self._process.pid

    def until(self, happened):
        """Waits for something that the command brings about."""
        deadline = time.monotonic() + DEADLINE
        while not happened():
            if self._process.poll() is not None:
                out, err = self._process.communicate()
                raise AssertionError(f"ended before it happened:\n{out}\n{err}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError("it did not happen")
            time.sleep(0.02)
        return self

    def interrupt(self):
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def kill(self):
        self._process.kill()
        return self.end()

    def end(self):
        out, err = self._process.communicate(timeout=DEADLINE)
        return Done(self._process.returncode, out, err)


def task(folder: Path, run: str = "true", **more) -> Path:
    """A small SkyPilot task file: two nodes of one GPU that only AWS sells."""
    import yaml

    content = {
        "name": "tiny",
        "num_nodes": 2,
        "resources": {"accelerators": "A10G:1"},
        "run": run,
        **more,
    }
    path = Path(folder, "task.yaml")
    path.write_text(yaml.safe_dump(content))
    return path


def ledger(world: Path) -> str:
    path = Path(world, "ledger.jsonl")
    return path.read_text() if path.exists() else ""

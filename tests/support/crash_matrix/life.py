"""The life that is cut off: up, run, scale and destroy of a colony of two clusters and clouds.

One operation at a time (`parallel: 1`), so that there is one state at each boundary.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from colony.rehearsal.captures import Captures, Cell
from colony.rehearsal.world import World

__all__ = ["COMMANDS", "LIMIT", "Life", "capture", "colony", "commands", "cut_off", "sample"]

COLONY = """\
apiVersion: colony/v1
kind: Colony
name: matrix
clusters:
  - name: east
    cloud: aws
    region: us-east-1
    pools: [{name: gpu, accelerators: "A10G:1", nodes: 1}]
  - name: west
    cloud: gcp
    region: us-central1
    pools: [{name: gpu, accelerators: "L4:1", nodes: %d}]
layers: {gpu-operator: {}, kueue: {}, jobset: {}}
ttl: 2h
"""
JOB = """\
apiVersion: colony/v1
kind: Job
name: train
resources: {accelerators: "A10G:1"}
run: sleep 60
max_run_time: 1h
"""
MADE_BY_THE_JOB = {
    "op": "create",
    "type": "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet",
    "objects": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "dashboard", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "board", "namespace": "default"},
            "spec": {"ingressClassName": "alb"},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "scratch", "namespace": "default"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "100Gi"}},
            },
        },
    ],
}
"""One of each class A object, which only a drain removes from the cloud."""
COMMANDS = ("up", "run", "scale", "destroy")
LIMIT = 60
"""Resources, beside the stack itself."""
DEADLINE = 600.0


def commands(folder: Path, world: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, arguments of `colony`), in order."""
    small, large, job = (folder / f"{n}.yaml" for n in ("small", "large", "job"))
    small.write_text(COLONY % 1)
    large.write_text(COLONY % 2 + "---\n" + JOB + "colony: matrix\n")
    job.write_text(JOB)
    there = ["--world", str(world)]
    yield "up", ["up", str(small), *there]
    yield "run", ["run", str(job), "--on", "matrix", *there]
    yield "scale", ["up", str(large), *there]
    yield "destroy", ["down", "matrix", "--yes", *there]


@dataclass(frozen=True)
class Life:
    """One that was lived to its end: every state that a crash would have left, and the world as
    each command found it."""

    folder: Path

    @property
    def captures(self) -> Captures:
        return Captures(self.folder / "world")

    def found_by(self, command: str) -> Path:
        return self.folder / "found" / command


def capture(folder: Path) -> Life:
    """Lives the life once."""
    world, life = folder / "world", Life(folder)
    World.create(world, faults=[MADE_BY_THE_JOB], captures=True).close()
    captures = Captures(world)
    for name, arguments in commands(folder, world):
        shutil.copytree(world, life.found_by(name), ignore=_unwanted)
        captures.name(name)
        colony(arguments, folder / f"{name}.log")
    World.open(world).stop()
    return life


def cut_off(life: Life, cell: Cell, folder: Path) -> Captures:
    """Lives its command again, until a SIGKILL at that boundary; returns its world's captures.

    The last of them is that boundary's, and what a capture must equal: the engine's order is not
    always the same, so that the first life's may differ in what else had been done.
    """
    world = folder / "world"
    shutil.copytree(life.found_by(cell.command), world)
    captures = Captures(world)
    captures.name(cell.command)
    captures.die(cell)
    log = folder / f"{cell.command}.log"
    process = _start(dict(commands(folder, world))[cell.command], log)
    World.open(world).announce(process.pid)
    code = process.wait(DEADLINE)
    World.open(world).stop()
    assert code == -9, f"{cell.command} ended with {code}:\n{_tail(log)}"
    return captures


def sample(life: Life, kills: int, chance: random.Random) -> list[Cell]:
    """Cells for real kills: of each command in turn, as long as it has any."""
    cells = [cell for cell, _ in life.captures]
    of = {command: [each for each in cells if each.command == command] for command in COMMANDS}
    for some in of.values():
        chance.shuffle(some)
    turns = zip_longest(*of.values())
    found = [cell for turn in turns for cell in turn if cell is not None]
    return sorted(found[:kills], key=lambda cell: COMMANDS.index(cell.command))


def colony(arguments: list[str], log: Path) -> None:
    """Runs a command to its good end."""
    if code := _start(arguments, log).wait(DEADLINE):
        raise AssertionError(f"{arguments[0]} ended with {code}:\n{_tail(log)}")


def _start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "colony", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


def _unwanted(folder: str, names: list[str]) -> set[str]:
    """The server's own files, and what was captured before."""
    heads = ("server.", "ports.", "captures")
    return (
        {name for name in names if name.startswith(heads)}
        if Path(folder).name == "world"
        else set()
    )


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])

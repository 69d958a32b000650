"""`make bench-reap`: one look of the reaper at many colonies whose lease has ended.

Time, peak memory of it and all that it started, and what was asked of the simulated clouds. The
colonies are copies of one that was really brought up; of one in fifty the state cannot be read.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import psutil
from clones import brought_up, clone, spoil
from served import served

from colony.lifecycle.reap import Reaped, reap
from colony.lifecycle.reap_many import AT_ONCE
from colony.rehearsal.world import left

BAD = 50


def main() -> None:
    """Measures one look, and prints it."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--colonies", type=int, default=200)
    count = asked.parse_args().colonies
    with tempfile.TemporaryDirectory(prefix="colony-reap-") as folder:
        world, bad = prepared(Path(folder), count)
        with served(world) as ground:
            ground.world.advance(2 * 3600 + 60)
            before, began = len(ground.world.operations()), time.monotonic()
            with Peak() as peak:
                found = reap(ground, lambda text, at=None: None)
            seconds = time.monotonic() - began
            calls = len(ground.world.operations()) - before
        report(found, bad, seconds, peak.mib, calls, len(left(world)))


def prepared(folder: Path, count: int) -> tuple[Path, set[str]]:
    """The world, and which of its colonies have a broken state."""
    world = brought_up(folder)
    names = [f"tiny{number:03d}" for number in range(1, count)]
    clone(world, "tiny", names)
    bad = set(names[::BAD])
    for name in bad:
        spoil(world, name)
    return world, bad


def report(
    found: list[Reaped], bad: set[str], seconds: float, mib: float, calls: int, things: int
) -> None:
    ended = {one.verdict.stack for one in found if one.clean}
    others = {one.verdict.stack for one in found} - bad
    print(f"{len(found)} colonies, {AT_ONCE} at once, {len(bad)} of them with a broken state")
    print(f"ended clean {len(ended)} of {len(others)} others; billable things left: {things}")
    print(f"{seconds:.0f} s, {seconds / len(found):.1f} s a colony; peak {mib:.0f} MiB")
    print(f"{calls} changes of the clouds, {calls / len(found):.0f} a colony")


class Peak:
    """The most memory that this process and its children had together."""

    def __enter__(self) -> Peak:
        self.mib = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.5):
            sizes = [_size(each) for each in [me, *me.children(recursive=True)]]
            self.mib = max(self.mib, sum(sizes) / 2**20)


def _size(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main()

"""What runs on every node with GPUs: prints what the kernel's log says of GPUs and NVSwitches.

One file, alone: it is put into a pod as it lies here. It has no token and talks to nobody; the
agent reads what it prints, one object a line: {"boot": id, "at": seconds since the boot, "text"}.
It needs the capability SYSLOG and no other right: the log is read by syslog(2), not from a device.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Watch", "main", "read_log"]

EVERY = 2.0
"""Seconds between two looks."""
QUIET = 60.0
"""Seconds for which the same fault of the same device is not printed again: they come in storms."""
BOOT = Path("/proc/sys/kernel/random/boot_id")
READ_ALL, SIZE = 3, 10
"""Actions of syslog(2)."""
LINE = re.compile(r"^<\d+>(?:\[\s*(\d+\.\d+)\](?:\[[^\]]*\])?\s*)?(.*)$")
FAULT = re.compile(r"(?:NVRM: Xid|SXid) \([^)]*\): \d+")


class Watch:
    """What was printed already; empty after a restart, which prints all of the log once more."""

    def __init__(self, boot: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._boot = boot
        self._clock = clock
        self._known: set[str] = set()
        self._last: dict[str, float] = {}

    def news(self, log: str) -> Iterator[str]:
        """Of the whole log as it is now: what is to be printed of it."""
        lines = [line for line in log.splitlines() if FAULT.search(line)]
        fresh = [line for line in lines if line not in self._known]
        self._known = set(lines)
        for line in fresh:
            found = LINE.match(line)
            stamp, text = found.groups() if found else (None, line)
            # A kernel that gives no times: then this is when it was seen.
            at = float(stamp) if stamp else self._clock()
            if self._is_due(FAULT.findall(line)[0], at):
                yield json.dumps({"boot": self._boot, "at": at, "text": text[:400]})

    def _is_due(self, fault: str, at: float) -> bool:
        if fault in self._last and at - self._last[fault] < QUIET:
            return False
        self._last[fault] = at
        return True


def read_log() -> str:
    """The kernel's log buffer. Raises OSError without the right to read it."""
    libc = ctypes.CDLL(None, use_errno=True)
    size = libc.klogctl(SIZE, None, 0)
    buffer = ctypes.create_string_buffer(max(size, 1))
    length = libc.klogctl(READ_ALL, buffer, size)
    if length < 0:
        raise OSError(ctypes.get_errno(), "the kernel's log cannot be read")
    return buffer.raw[:length].decode(errors="replace")


def main() -> int:
    """Until it is ended."""
    watch = Watch(BOOT.read_text().strip())
    while True:
        for line in watch.news(read_log()):
            print(line, flush=True)
        time.sleep(EVERY)


if __name__ == "__main__":
    sys.exit(main())

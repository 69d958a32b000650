"""What the pod on each node prints of the kernel's log."""

from __future__ import annotations

import ctypes
import json

import pytest

from colony.agent import kernel_log
from colony.agent.kernel_log import Watch, read_log

OFF_BUS = "NVRM: Xid (PCI:0000:4e:00): 79, GPU has fallen off the bus."
OTHER = "NVRM: Xid (PCI:0000:5f:00): 79, GPU has fallen off the bus."


def printed(watch, *lines):
    return [json.loads(each) for each in watch.news("\n".join(lines))]


def test_only_lines_of_gpus_and_switches_are_printed_once_each_with_their_time():
    watch = Watch("boot-1")
    log = ["<6>[    0.000000] Linux version 6", f"<4>[  12.500000] {OFF_BUS}"]
    assert printed(watch, *log) == [{"boot": "boot-1", "at": 12.5, "text": OFF_BUS}]
    assert printed(watch, *log) == []
    more = [*log, f"<4>[  12.500000][  T77] {OTHER}", "<4>[  13.0] NVRM: loading"]
    assert printed(watch, *more) == [{"boot": "boot-1", "at": 12.5, "text": OTHER}]


def test_a_storm_is_one_line_a_minute_and_device():
    storm = [f"<4>[{t:12.6f}] {OFF_BUS}" for t in range(100, 250)]
    found = printed(Watch("b"), *storm, f"<4>[  249.5] {OTHER}")
    assert [each["at"] for each in found] == [100.0, 160.0, 220.0, 249.5]


def test_a_restart_prints_what_the_log_still_has():
    log = [f"<4>[  12.500000] {OFF_BUS}"]
    assert printed(Watch("b"), *log) == printed(Watch("b"), *log) != []


def test_a_kernel_without_times_gives_those_of_the_look():
    watch = Watch("b", clock=lambda: 77.0)
    assert printed(watch, f"<4>{OFF_BUS}") == [{"boot": "b", "at": 77.0, "text": OFF_BUS}]


class Libc:
    def __init__(self, text):
        self.text = text

    def klogctl(self, action, buffer, _size):
        if action == kernel_log.SIZE:
            return 4096
        if self.text is None:
            ctypes.set_errno(1)
            return -1
        buffer.value = self.text
        return len(self.text)


def test_the_log_is_asked_of_the_kernel(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc(b"<4>[ 1.0] a\xff\n"))
    assert read_log() == "<4>[ 1.0] a�\n"
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc(None))
    with pytest.raises(OSError, match="cannot be read"):
        read_log()

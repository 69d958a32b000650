"""Lines of a kernel's log -> faults of GPUs and NVSwitches, and which of them are hardware's. Pure.

What counts is data (xids.json). https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

__all__ = ["Fault", "is_hardware", "read_fault"]

_XID = re.compile(r"\bNVRM: Xid \(([^)]*)\): (\d{1,6})\b")
_SXID = re.compile(r"\bSXid \(([^)]*)\): (\d{1,6})\b")


@dataclass(frozen=True)
class Fault:
    """`kind` is `xid` (a GPU) or `sxid` (an NVSwitch); `device` as the driver writes it."""

    kind: str
    code: int
    device: str

    @property
    def name(self) -> str:
        """`xid-79`: what an allow-list and a taint's value say."""
        return f"{self.kind}-{self.code}"


def read_fault(line: str) -> Fault | None:
    """None for a line that names no Xid and no SXid."""
    for kind, pattern in (("xid", _XID), ("sxid", _SXID)):
        if found := pattern.search(line):
            return Fault(kind, int(found[2]), found[1])
    return None


def is_hardware(fault: Fault, allowed: Collection[str] = ()) -> bool:
    """Whether the machine is at fault. `allowed`: names that are borne, such as `xid-63`."""
    if fault.name in allowed:
        return False
    hardware, harmless = _codes()
    return fault.code in hardware if fault.kind == "xid" else fault.code not in harmless


@cache
def _codes() -> tuple[frozenset[int], frozenset[int]]:
    """(hardware Xids, harmless SXids)"""
    data = json.loads(pkgutil.get_data("colony.agent", "xids.json") or b"")
    return _numbers(data["xid"]["hardware"]), _numbers(data["sxid"]["harmless"])


def _numbers(ranges: list[str]) -> frozenset[int]:
    found: set[int] = set()
    for each in ranges:
        first, _, last = each.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)

"""The `GpuInfo` cell: a Python-repr dict, read as a literal and checked for known faults."""

from __future__ import annotations

import ast
import math
from functools import lru_cache
from typing import Any

from colony.market.facts import other_memory
from jobs.accelerators import find

__all__ = ["GpuFault", "gpu_memory_gib"]

_TOLERANCE = 0.1
"""A driver reports up to 7 % less than the maker's sheet says."""


class GpuFault(ValueError):
    """The row contradicts what the GPU is: it is refused."""


@lru_cache(maxsize=4096)
def gpu_memory_gib(name: str, count: float, cell: str) -> tuple[float | None, tuple[str, ...]]:
    """GiB of one GPU (None = not said) and what was mended. Raises GpuFault."""
    if not cell:
        return None, ()
    try:
        size, total = _sizes(ast.literal_eval(cell))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None, ("GpuInfo cannot be read: the GPU's memory is taken as unknown",)
    if not size:
        return None, ()
    if not (math.isfinite(size) and size > 0):
        return None, (f"GPU memory of {size:g} MiB is none: it is taken as unknown",)
    mended = []
    if size < 1024:
        mended.append(f"GPU memory of {size:g} MiB read as GiB")
        size *= 1024
    elif total == size and count > 1:
        mended.append(f"total GPU memory {total:g} MiB is one GPU's: read as {size * count:g} MiB")
    elif total and count >= 1 and not math.isclose(total, size * count, rel_tol=_TOLERANCE):
        mended.append(
            f"total GPU memory {total:g} MiB is not {count:g} x {size:g}: read as "
            f"{size * count:g} MiB"
        )
    _refuse_wrong(name, count, size / 1024)
    return size / 1024, tuple(mended)


def _sizes(info: Any) -> tuple[float, float]:
    """MiB of one GPU and of all; 0 where not said."""
    if not isinstance(info, dict):
        raise ValueError("not a dict")
    gpus = info.get("Gpus") or [{}]
    memory = gpus[0].get("MemoryInfo") or {}
    return float(memory.get("SizeInMiB") or 0), float(info.get("TotalGpuMemoryInMiB") or 0)


def _refuse_wrong(name: str, count: float, gib: float) -> None:
    found = find(name)
    if found is None or count < 1:  # a share of a GPU may give its own share of the memory
        return
    known = [found.memory_gb, *other_memory().get(found.name, [])]
    if any(abs(gib - size) <= size * _TOLERANCE for size in known):
        return
    sizes = " or ".join(f"{size:g}" for size in known)
    raise GpuFault(f"{name} with {gib:g} GiB, but it has {sizes} GiB")

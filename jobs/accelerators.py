"""The accelerators we know by name: canonical spelling, memory, vendor, compute capability.
Data: accelerators.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from jobs.data import load
from jobs.errors import Problem
from jobs.problems import near, printable, refuse, unbuilt

__all__ = ["Accelerator", "canonical", "find", "known", "near_accelerators", "of_memory"]


@dataclass(frozen=True)
class Accelerator:
    """One kind of accelerator."""

    name: str
    vendor: str
    memory_gb: float
    """Nominal, of one."""
    resource: str
    """The Kubernetes extended resource, `nvidia.com/gpu`."""
    built: bool = True
    compute: str = ""
    """NVIDIA's compute capability, `9.0`; other vendors have none."""
    aliases: tuple[str, ...] = field(default=())


def canonical(name: str) -> str:
    """`h100` -> `H100`, `A100-40GB` -> `A100`. Raises ValueError with near matches."""
    found = find(name)
    if found and found.built:
        return found.name
    if found:
        raise refuse(unbuilt(f"{found.name} ({found.vendor} accelerators)"))
    if name.lower().startswith("tpu"):
        raise refuse(unbuilt(f"{printable(name)} (TPUs)"))
    close = near_accelerators(name)
    hint = f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else "H100, A100, L4, …"
    raise refuse(Problem("", f"unknown accelerator {printable(name)}", hint))


def find(name: str) -> Accelerator | None:
    """By canonical name or alias, in any case."""
    return _index().get(name.lower())


def of_memory(name: str, memory_gb: float | None) -> str:
    """The canonical name of what a list calls `A100` and says has 80 GB; unknown names stay."""
    sized = find(f"{name}-{memory_gb:g}GB") if memory_gb else None
    found = sized or find(name)
    return found.name if found else name


def near_accelerators(name: str, limit: int = 2) -> list[str]:
    """The canonical names that look most like `name`, best first."""
    return near(name, known(), limit)


@cache
def known() -> tuple[str, ...]:
    """Every canonical name."""
    return tuple(load("accelerators.yaml")["accelerators"])


@cache
def _index() -> dict[str, Accelerator]:
    data = load("accelerators.yaml")
    index = {}
    for name, facts in data["accelerators"].items():
        vendor, aliases = facts["vendor"], tuple(facts.get("aliases", ()))
        built = vendor in data["built"]
        resource = data["vendors"][vendor]
        compute = facts.get("compute", "")
        one = Accelerator(name, vendor, facts["memory"], resource, built, compute, aliases)
        index.update({spelling.lower(): one for spelling in (name, *aliases)})
    return index

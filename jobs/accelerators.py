"""The accelerators we know by name: canonical spelling, memory, vendor. Data: accelerators.yaml."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from jobs.data import load
from jobs.errors import Problem
from jobs.problems import near, printable, refuse, unbuilt

__all__ = ["Accelerator", "canonical", "find", "known", "near_accelerators"]


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
        one = Accelerator(name, vendor, facts["memory"], resource, built, aliases)
        index.update({spelling.lower(): one for spelling in (name, *aliases)})
    return index

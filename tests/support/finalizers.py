"""No object outlives its controller: its finalizers would be taken off by nobody.

From a state (what the engine would do, by its antichains) and from the log of what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from colony.rehearsal.package import load_packages
from colony.rehearsal.timeline import destroy_levels

__all__ = ["outlived", "outlived_in_log", "resources_of"]

RELEASE = "kubernetes:helm.sh/v3:Release"


def outlived(resources: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(object, its controller) for each object that is not gone before its controller goes. What
    goes with its cluster is never deleted by itself."""
    when = {urn: n for n, level in enumerate(destroy_levels(resources)) for urn in level}
    there = [each for each in resources if not each.get("deletedWith")]
    return [
        (each["urn"], release["urn"])
        for each in there
        for release in there
        if _controls(release, each) and when[each["urn"]] >= when[release["urn"]]
    ]


def outlived_in_log(
    operations: Iterable[Mapping[str, Any]], resources: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """The same by what was really deleted, in that order."""
    known, gone, found = {each["urn"]: each for each in resources}, [], []
    for entry in operations:
        resource = known.get(entry.get("urn", ""))
        if entry["op"] != "delete" or entry.get("error") or resource is None:
            continue
        found += [(resource["urn"], r["urn"]) for r in gone if _controls(r, resource)]
        gone.append(resource)
    return found


def resources_of(requests: Iterable[Any]) -> list[dict[str, Any]]:
    """Recorded registrations as a state has them: what is needed stands before what needs it."""
    from recording import inputs

    found = [
        {
            "urn": _urn(each), "type": each.type,
            "custom": each.custom, "parent": each.parent, "provider": each.provider,
            "dependencies": list(each.dependencies), "deletedWith": each.deletedWith,
            "inputs": inputs(each),
        }
        for each in requests
    ]  # fmt: skip
    known = {each["urn"]: each for each in found}
    needs = {urn: {n for n in _needs(each) if n in known} for urn, each in known.items()}
    return [known[urn] for urn in TopologicalSorter(needs).static_order()]


def _needs(resource: Mapping[str, Any]) -> list[str]:
    provider = resource["provider"].rpartition("::")[0]
    return [*resource["dependencies"], resource["parent"], resource["deletedWith"], provider]


def _urn(request: Any) -> str:
    """As the SDK's mocks make it: with the type of the parent alone."""
    above = request.parent.split("::")[2].split("$")[-1] + "$" if request.parent else ""
    return f"urn:pulumi:demo::colony::{above}{request.type}::{request.name}"


def _controls(release: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the chart brings the kind, in the same cluster."""
    if release["type"] != RELEASE or not other["type"].startswith("kubernetes:"):
        return False
    if release["provider"] != other["provider"]:
        return False
    chart = str(release["inputs"].get("chart", "")).rstrip("/").rsplit("/", 1)[-1]
    group, slash, _ = str(other["inputs"].get("apiVersion", "")).partition("/")
    return bool(slash) and group in _groups().get(chart, ())


def _groups() -> dict[str, tuple[str, ...]]:
    charts = load_packages()["kubernetes"].charts
    return {name: tuple(chart.crds) for name, chart in charts.items()}

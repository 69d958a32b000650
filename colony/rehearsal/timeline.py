"""When each step of an `up` or a `destroy` begins and ends, computed from a state. Pure.

An `up` starts a resource as soon as all that it needs is there. A `destroy` deletes in antichains:
resources with the longest way to the roots first, with a barrier between two levels, which is the
engine's own rule (`ScheduleDeletes` in pulumi/pkg/resource/deploy/step_generator.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = [
    "Resource", "Timeline", "destroy_levels", "destroy_timeline", "needs_of", "paid_until",
    "up_timeline",
]  # fmt: skip

Resource = Mapping[str, Any]
Timeline = dict[str, tuple[float, float]]
"""URN -> (start, end) in seconds from the operation's start."""


def up_timeline(resources: Sequence[Resource], seconds: Mapping[str, float]) -> Timeline:
    """The longest path over dependencies, parent, provider and deletedWith.

    `resources` as in a deployment: what is needed stands before what needs it. A URN without
    seconds takes no time.
    """
    timeline: Timeline = {}
    for resource in _alive(resources):
        needs = [timeline[urn][1] for urn in needs_of(resource) if urn in timeline]
        start = max(needs, default=0.0)
        timeline[resource["urn"]] = (start, start + seconds.get(resource["urn"], 0.0))
    return timeline


def destroy_timeline(resources: Sequence[Resource], seconds: Mapping[str, float]) -> Timeline:
    """The sum over levels of the slowest; what goes with something deleted costs nothing."""
    alive = {resource["urn"]: resource for resource in _alive(resources)}
    timeline: Timeline = {}
    now = 0.0
    for level in destroy_levels(resources):
        ends = [now]
        for urn in level:
            free = alive[urn].get("deletedWith") in alive
            timeline[urn] = (now, now + (0.0 if free else seconds.get(urn, 0.0)))
            ends.append(timeline[urn][1])
        now = max(ends)
    return timeline


def paid_until(resources: Sequence[Resource], timeline: Timeline) -> dict[str, float]:
    """URN -> when it is gone, of a destroy's timeline: what goes with something else is there, and
    paid for, until that is gone."""
    alive = {resource["urn"]: resource for resource in _alive(resources)}
    ends: dict[str, float] = {}
    for urn, (_, end) in timeline.items():
        owner = urn
        while (above := alive[owner].get("deletedWith")) in alive:
            owner = str(above)
        ends[urn] = max(end, timeline[owner][1])
    return ends


def destroy_levels(resources: Sequence[Resource]) -> list[list[str]]:
    """The antichains in the order of their deletion, each sorted."""
    depth: dict[str, int] = {}
    inside: dict[str, list[str]] = {}
    parents = {resource["urn"]: resource.get("parent") for resource in resources}
    components = {resource["urn"] for resource in resources if not resource.get("custom")}
    for resource in _alive(resources):
        needs = set(needs_of(resource))
        for component in (needs & components) - {resource.get("parent")}:
            needs |= set(inside.get(component, []))
        depth[resource["urn"]] = 1 + max((depth[urn] for urn in needs if urn in depth), default=0)
        for above in _ancestors(resource, parents):
            inside.setdefault(above, []).append(resource["urn"])
    levels: dict[int, list[str]] = {}
    for urn, level in depth.items():
        levels.setdefault(level, []).append(urn)
    return [sorted(levels[level]) for level in sorted(levels, reverse=True)]


def needs_of(resource: Resource) -> list[str]:
    """URNs of all that must be there first."""
    found = list(resource.get("dependencies") or [])
    for urns in (resource.get("propertyDependencies") or {}).values():
        found += urns or []
    found += [resource.get("parent") or "", resource.get("deletedWith") or ""]
    found.append((resource.get("provider") or "").rpartition("::")[0])
    return [urn for urn in found if urn]


def _ancestors(resource: Resource, parents: Mapping[str, str | None]) -> Iterator[str]:
    above = resource.get("parent")
    while above:
        yield above
        above = parents.get(above)


def _alive(resources: Sequence[Resource]) -> list[Resource]:
    return [resource for resource in resources if not resource.get("delete")]

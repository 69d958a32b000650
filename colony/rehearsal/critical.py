"""What an `up` and a `destroy` took, and why not less: from the timelines of a state. Pure.

An `up` is as long as its longest chain of needs, a `destroy` as the sum over its levels of the
slowest. What was really waited for stands beside it, so that more than that is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from colony.rehearsal.timeline import Resource, Timeline, destroy_levels, needs_of

__all__ = ["destroy_report", "longest_chain", "up_report"]


def up_report(resources: Sequence[Resource], timeline: Timeline, took: float) -> dict[str, Any]:
    """`seconds` that passed, `longest_chain` in seconds, and the chain's steps (`at`, `seconds`,
    `urn`), in their order, without those that take no time."""
    chain = longest_chain(resources, timeline)
    steps: list[dict[str, Any]] = [
        {"at": _s(timeline[urn][0]), "seconds": _s(timeline[urn][1] - timeline[urn][0]), "urn": urn}
        for urn in chain
    ]
    steps = [step for step in steps if step["seconds"]]
    longest = sum(float(step["seconds"]) for step in steps)
    return {"seconds": _s(took), "longest_chain": _s(longest), "steps": steps}


def destroy_report(
    resources: Sequence[Resource], timeline: Timeline, took: float
) -> dict[str, Any]:
    """`seconds` that passed, `sum_of_levels` of the slowest of each, and the levels (`count`,
    `seconds`, and the `slowest`), in their order, without those that take no time."""
    levels = [_level(urns, timeline) for urns in destroy_levels(resources)]
    levels = [level for level in levels if level["seconds"]]
    total = sum(float(level["seconds"]) for level in levels)
    return {"seconds": _s(took), "sum_of_levels": _s(total), "levels": levels}


def longest_chain(resources: Sequence[Resource], timeline: Timeline) -> list[str]:
    """From the first to the last to be ready, each what the next one had waited for."""
    needs = {each["urn"]: needs_of(each) for each in resources}
    chain: list[str] = []
    # Of what ends together the first name: one seed, one chain.
    last = max(sorted(timeline), key=lambda urn: timeline[urn][1], default=None)
    while last is not None:
        chain.append(last)
        known = sorted(urn for urn in needs[last] if urn in timeline and urn not in chain)
        last = max(known, key=lambda urn: timeline[urn][1], default=None)
    return chain[::-1]


def _level(urns: list[str], timeline: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    took = {urn: timeline[urn][1] - timeline[urn][0] for urn in sorted(urns)}
    slowest = max(took, key=lambda urn: took[urn])
    return {"count": len(urns), "seconds": _s(took[slowest]), "slowest": slowest}


def _s(seconds: float) -> float:
    return round(seconds, 3)

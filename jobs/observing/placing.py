"""Why a scheduler placed no pod, in words: what is missing, and on how many nodes.

The scheduler's message is `0/5 nodes are available: 3 Insufficient nvidia.com/gpu, 2 node(s) had
...; preemption: ...` (https://kubernetes.io/docs/concepts/scheduling-eviction/); Volcano writes
`are unavailable`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from jobs.observing.reading import items, table

__all__ = ["why_not_placed"]

NODES = re.compile(r"0/(\d+) nodes are (?:un)?available")
INSUFFICIENT = re.compile(r"(\d+) Insufficient ([\w./-]*\w)")
LONGEST = 2000


def why_not_placed(message: str, spec: Any) -> str:
    """`needs 8 nvidia.com/gpu (too little on 3 of 5 nodes); 2 node(s) had ...`."""
    nodes, short, others = _parsed(message[:LONGEST])
    parts = [
        f"needs {needed(spec, resource)}{resource} (too little on {count} of {nodes} nodes)"
        for count, resource in short
    ]
    return "; ".join([*parts, *others]) or message


def needed(spec: Any, resource: str) -> str:
    """`8 ` of a resource that is counted; empty where it is measured, or not asked for."""
    amounts = [_amount(each, resource) for each in items(spec, "containers")]
    return f"{sum(amounts)} " if any(amounts) else ""


def _amount(container: Any, resource: str) -> int:
    asked = table(container, "resources", "requests").get(resource)
    limit = table(container, "resources", "limits").get(resource)
    try:
        amount = Decimal(str(limit if asked is None else asked))
    except InvalidOperation:
        return 0
    whole = amount.is_finite() and abs(amount) < 10**9 and amount == amount.to_integral_value()
    return int(amount) if whole else 0


@lru_cache(maxsize=64)
def _parsed(message: str) -> tuple[str, list[tuple[str, str]], list[str]]:
    """(nodes, [(nodes that have too little, resource)], what else was said). Gangs repeat it."""
    found = NODES.search(message)
    short = INSUFFICIENT.findall(message.partition("preemption:")[0])
    if not found:
        return "the", short, []
    said = message[found.end() :].partition("preemption:")[0]
    parts = [part.strip(" :.,") for part in said.split(",")]
    return found.group(1), short, [part for part in parts if part and "Insufficient" not in part]

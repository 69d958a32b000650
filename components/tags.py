"""Lease tags in the form that a cloud takes. Pure: no pulumi."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from components.lease import Lease
from jobs.data import parse
from jobs.errors import NotSupported

__all__ = ["lease_tags", "short_name", "short_names"]

_SHORTEST = 20
"""No cloud leaves a name less than this."""


def lease_tags(lease: Lease, cloud: str) -> dict[str, str]:
    """The lease's tags with what `cloud` forbids replaced and values cut to its length.

    NotSupported: no tag rules are known for the cloud.
    """
    rule = _rules().get(cloud)
    if rule is None:
        raise NotSupported(f"no tag rules for cloud {cloud!r}")
    return {
        _clean(key, rule, "key_length"): _clean(value, rule, "value_length")
        for key, value in lease.tags().items()
    }


def short_name(*parts: str, limit: int) -> str:
    """`a-b-c`; where that is longer than `limit`, its head and a hash of the whole."""
    name = "-".join(parts)
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: limit - 7].rstrip('-')}-{digest}"


@cache
def short_names(name: str) -> frozenset[str]:
    """All that `short_name` can make of it, whatever the limit: by these it is recognised."""
    limits = range(_SHORTEST, len(name))
    return frozenset({name, *(short_name(name, limit=limit) for limit in limits)})


def _clean(text: str, rule: dict[str, Any], length: str) -> str:
    text = text.lower() if rule.get("lowercase") else text
    return re.sub(f"[^{rule['characters']}]", rule["substitute"], text)[: rule[length]]


@cache
def _rules() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    rules: dict[str, dict[str, Any]] = parse(text)
    return rules

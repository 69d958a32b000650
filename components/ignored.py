"""What clouds and controllers change by themselves, by type of resource (`ignored.yaml`). Pure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from jobs.model import Strict

__all__ = ["Ignored", "ignored", "table"]


class Ignored(Strict):
    """One field."""

    path: str
    """As Pulumi writes it, `webhooks[*].clientConfig.caBundle`."""
    when: str | None = None
    """Only where the program says so."""
    why: str
    source: str


def ignored(type_: str, *facts: str) -> list[str]:
    """Paths for `ignore_changes` of a resource. `facts` are those that hold of it."""
    return [each.path for each in table().get(type_, []) if each.when in (None, *facts)]


@cache
def table() -> dict[str, list[Ignored]]:
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, list[Ignored]]).validate_python(yaml.safe_load(text))

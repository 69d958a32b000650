"""`$NAME` and `${NAME}` in the fields where SkyPilot, and not a shell, replaces them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["FIELDS", "substitute"]

FIELDS = ("file_mounts", "service", "workdir", "volumes")
"""`setup` and `run` have the variables in their shell's environment."""

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.ASCII)


def substitute(value: Any, variables: Mapping[str, str]) -> Any:
    """The same with every known name replaced, in keys too; unknown names are left as they are."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), value)
    if isinstance(value, list):
        return [substitute(item, variables) for item in value]
    if isinstance(value, dict):
        return {substitute(k, variables): substitute(v, variables) for k, v in value.items()}
    return value

"""The texts of a pod as a process on this machine has to read them: environment and paths."""

from __future__ import annotations

import re
from collections.abc import Mapping

from colony.rehearsal.expand import Manifest, PlannedPod

__all__ = ["Moves", "expanded", "values_of"]

REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
FIELD = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


def values_of(pod: PlannedPod, container: Manifest) -> dict[str, str]:
    """Expanded as the kubelet does it: `$(NAME)` of an earlier entry, `$$` for one `$`."""
    values: dict[str, str] = {}
    for entry in [*(container.get("env") or []), *pod.env]:
        if "valueFrom" in entry:
            values[entry["name"]] = _referred(pod, entry["valueFrom"])
        else:
            values[entry["name"]] = expanded(entry.get("value", ""), values)
    return values


def _referred(pod: PlannedPod, source: Manifest) -> str:
    """A field of the pod; what only a cluster has (its secrets, resources) is empty."""
    path = (source.get("fieldRef") or {}).get("fieldPath", "")
    if match := FIELD.fullmatch(path):
        return str(getattr(pod, match[1]).get(match[2], ""))
    return {"metadata.name": pod.name}.get(path, "")


def expanded(text: str, values: Mapping[str, str]) -> str:
    return REFERENCE.sub(
        lambda match: "$" if match[1] is None else values.get(match[1], match[0]), text
    )


class Moves:
    """Paths of the pod, anywhere in a text, as they are on this machine."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(paths)
        longest_first = sorted(map(re.escape, paths), key=len, reverse=True)
        words = "|".join(longest_first) or "(?!)"
        self._pattern = re.compile(rf"(?<![\w./-])(?:{words})(?![\w.-])")

    def moved(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._paths[match[0]], text)

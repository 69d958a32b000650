"""Dependencies of an exalsius Colony become layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

import charts
from jobs.importers.draft import Draft
from jobs.problems import did_you_mean

__all__ = ["add_layer", "additional", "workload"]


def workload(draft: Draft, data: Mapping[str, Any]) -> None:
    """Names of add-ons that their operator has registered."""
    for index, each in enumerate(draft.spec.get("workloadDependencies") or []):
        path = f"spec.workloadDependencies[{index}].name"
        add_layer(draft, data, each.get("name") or "", path)


def additional(draft: Draft, data: Mapping[str, Any]) -> None:
    """Charts of the user's: those that are layers here, at a version that is said.

    Without one they would be whatever is newest on that day.
    """
    for index, each in enumerate(draft.spec.get("additionalDependencies") or []):
        path = f"spec.additionalDependencies[{index}].spec"
        chart = each.get("spec") or {}
        if not chart.get("chartName"):
            draft.refuse(f"{path}.chartName", "required")
            continue
        version = chart.get("version")
        if not version:
            message = "required: without it the chart is whatever is newest on that day"
            draft.refuse(f"{path}.version", message, _pinned(data, chart["chartName"]))
        values = chart.get("valuesTemplate")
        if values and "{{" in values:
            draft.refuse(f"{path}.valuesTemplate", "is a template", "write plain values")
            values = None
        add_layer(draft, data, chart["chartName"], f"{path}.chartName", version, values)


def add_layer(
    draft: Draft, data: Mapping[str, Any], name: str, path: str,
    version: str | None = None, values: str | None = None,
) -> None:  # fmt: skip
    """A layer by one of the names that it goes by; unknown ones are errors."""
    known = {each: layer for each, layer in data["layers"].items() if layer in charts.names()}
    if name not in known:
        hint = did_you_mean(name, known, f"known: {', '.join(sorted(known))}")
        draft.refuse(path, f"`{name}` is no layer that Colony installs", hint)
        return
    layer = draft.data.setdefault("layers", {}).setdefault(known[name], {})
    draft.paths[f"layers.{known[name]}"] = path
    if version:
        layer["version"] = version
    if values:
        layer["values"] = _values(draft, values, path)


def _values(draft: Draft, text: str, path: str) -> Any:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if isinstance(found, dict):
        return found
    draft.refuse(path, "its values are not YAML of `key: value` lines")
    return {}


def _pinned(data: Mapping[str, Any], chart: str) -> str:
    layer = data["layers"].get(chart, "")
    return f"Colony's own pin is {charts.load()[layer].version}" if layer in charts.names() else ""

"""The Helm values of a layer on one cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from charts.model import Layer, Reason, Site

__all__ = ["flat", "merge", "reasons", "set_paths", "tolerating", "values"]

SPOT = Reason(
    why="GPU pools carry their own taint, and spot pools one that the cloud gives them.",
    source="https://learn.microsoft.com/en-us/azure/aks/spot-node-pool",
)
THE_SPEC = Reason(why="The spec says so.", source="the spec")


def values(layer: Layer, site: Site, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Base, matching variants, then the user's, merged deeply."""
    result = copy.deepcopy(layer.values)
    for variant in layer.variants:
        if variant.holds(site):
            result = merge(result, variant.values)
            for path, items in variant.append.items():
                _append(result, path.split("."), items)
    for path in tolerating(layer, site, result):
        _append(result, path.split("."), list(site.tolerations))
    result = merge(result, overrides)
    for path in layer.yaml_strings:
        _as_text(result, path.split("."))
    return result


def tolerating(layer: Layer, site: Site, tree: Mapping[str, Any]) -> list[str]:
    """Paths of pods that go to nodes with accelerators, and do not go everywhere anyway."""
    if not site.tolerations:
        return []
    known = dict(flat(tree))
    everywhere = {"operator": "Exists"}
    return [path for path in layer.tolerations if known.get(path) and everywhere not in known[path]]


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins; mappings are merged, lists and scalars replaced. Neither is changed."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = merge(old, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def flat(tree: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of every leaf; an empty mapping is a leaf. Dots in keys are `\\.`."""
    for key, value in tree.items():
        path = head + str(key).replace(".", "\\.")
        if isinstance(value, dict) and value:
            yield from flat(value, f"{path}.")
        else:
            yield path, value


def reasons(layer: Layer, site: Site, overrides: Mapping[str, Any]) -> dict[str, Reason]:
    """Path of each value that the cluster gets -> why: the spec, a variant, or the entry itself."""
    found = {path: _because(layer, path) for path, _ in flat(layer.values)}
    for variant in layer.variants:
        if variant.holds(site):
            reason = Reason(why=variant.why, source=variant.source)
            found |= {path: reason for path, _ in flat(variant.values)}
            found |= dict.fromkeys(variant.append, reason)
    merged = values(layer, site.model_copy(update={"tolerations": ()}), {})
    found |= dict.fromkeys(tolerating(layer, site, merged), SPOT)
    found |= {path: THE_SPEC for path, _ in flat(overrides)}
    return {_text_head(layer, path): reason for path, reason in found.items()}


def set_paths(layer: Layer) -> list[str]:
    """Every path that the entry may set, whatever the cluster. What is text to the chart is one."""
    trees = [layer.values, *(variant.values for variant in layer.variants)]
    found = {path for tree in trees for path, _ in flat(tree)}
    found |= {path for variant in layer.variants for path in variant.append}
    return sorted({_text_head(layer, path) for path in found})


def _because(layer: Layer, path: str) -> Reason:
    """The entry's reason for the path, or for the longest head of it."""
    heads = [head for head in layer.because if path == head or path.startswith(f"{head}.")]
    if not heads:
        return Reason(why="", source=layer.sources[0])
    return layer.because[max(heads, key=len)]


def _text_head(layer: Layer, path: str) -> str:
    return next((head for head in layer.yaml_strings if path.startswith(f"{head}.")), path)


def _append(tree: dict[str, Any], path: list[str], items: list[Any]) -> None:
    *parents, last = path
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = [*tree.get(last, []), *copy.deepcopy(items)]


def _as_text(tree: dict[str, Any], path: list[str]) -> None:
    *parents, last = path
    for key in parents:
        tree = tree.get(key, {})
    if isinstance(tree.get(last), dict):
        tree[last] = yaml.safe_dump(tree[last], sort_keys=True, default_flow_style=False)

"""The layers as data: one YAML file a layer, a pure loader, and the order they go in.

Adding a layer is adding a file. Knows nothing of Pulumi.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ChartError", "Layer", "Variant", "When", "choose", "load", "merge", "names", "reference",
    "values",
]  # fmt: skip

FOLDER = Path(__file__).parent


class ChartError(ValueError):
    """A layer's data is wrong, or no such layer exists."""


class When(str, Enum):
    """Which clusters get the layer."""

    ALWAYS = "always"
    GPU = "gpu"
    BACKEND = "backend"
    """Those with a job of one of the layer's `backends`."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(_Data):
    """Values merged over the base where every given condition matches."""

    cloud: str | None = None
    node_image: str | None = None
    values: dict[str, Any]

    def matches(self, cloud: str, node_image: str) -> bool:
        return self.cloud in (None, cloud) and self.node_image in (None, node_image)


class Layer(_Data):
    """One pinned Helm release."""

    name: str
    title: str
    chart: str
    """A name in `repository`, a whole `oci://` reference, or `./FOLDER`: a chart of our own."""
    repository: str | None = None
    version: str
    namespace: str
    namespace_labels: dict[str, str] = Field(default_factory=dict)
    when: When = When.ALWAYS
    backends: list[str] = Field(default_factory=list)
    """Of jobs that cannot do without the layer."""
    needs: list[str] = Field(default_factory=list)
    after: list[str] = Field(default_factory=list)
    """Layers that go in before this one where a cluster has them."""
    provides: list[str] = Field(default_factory=list)
    """API groups and resource names that exist once it is up."""
    timeout: int = Field(gt=0, le=3600)
    """Seconds that Helm waits."""
    values: dict[str, Any] = Field(default_factory=dict)
    variants: list[Variant] = Field(default_factory=list)
    yaml_strings: list[str] = Field(default_factory=list)
    """Dotted paths of values that the chart takes as YAML text."""
    sources: list[str] = Field(min_length=1)


@cache
def load(folder: Path = FOLDER) -> dict[str, Layer]:
    """Every layer by name. ChartError: unreadable data, unknown needs, a cycle."""
    layers = {layer.name: layer for layer in map(_read, sorted(folder.glob("*.yaml")))}
    for layer in layers.values():
        for need in _before(layer):
            if need not in layers:
                raise ChartError(f"{layer.name}.needs: there is no layer {need!r}")
    _ordered(layers, layers)
    return layers


def names() -> list[str]:
    """The layers that exist, for checking what a user names."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def choose(
    enabled: Mapping[str, bool],
    has_gpu: bool,
    layers: Mapping[str, Layer] | None = None,
    backends: Collection[str] = (),
) -> list[Layer]:
    """What one cluster gets, each layer after what it needs.

    `backends` are those of its jobs; `enabled` holds the user's choices; the rest follows `when`.
    A layer that was switched on by name comes even where `when` would leave it out. What a chosen
    layer needs must be chosen too, unless the user switched it off (then it is the user's own).
    """
    layers = load() if layers is None else layers
    for name in enabled:
        if name not in layers:
            raise ChartError(f"there is no layer {name!r}; there are {', '.join(sorted(layers))}")
    wanted = {
        name for name, layer in layers.items() if enabled.get(name, _fits(layer, has_gpu, backends))
    }
    return [layers[name] for name in _ordered(layers, _closure(layers, wanted, enabled))]


def reference(layer: Layer) -> str:
    """What Helm is told: a chart of our own as the folder where it lies now."""
    return str(FOLDER / layer.chart) if layer.chart.startswith("./") else layer.chart


def values(layer: Layer, cloud: str, node_image: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """The Helm values: base, matching variants, then the user's, merged deeply."""
    result = copy.deepcopy(layer.values)
    for variant in layer.variants:
        if variant.matches(cloud, node_image):
            result = merge(result, variant.values)
    result = merge(result, overrides)
    for path in layer.yaml_strings:
        _as_text(result, path.split("."))
    return result


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` wins; mappings are merged, lists and scalars replaced. Neither is changed."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = merge(old, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _read(path: Path) -> Layer:
    try:
        layer = Layer.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ChartError(f"{path.name}: {error}") from error
    if layer.name != path.stem:
        raise ChartError(f"{path.name}: name must be {path.stem!r}, not {layer.name!r}")
    if layer.when is When.BACKEND and not layer.backends:
        raise ChartError(f"{path.name}: backends: names none, so no cluster would get the layer")
    return layer


def _fits(layer: Layer, has_gpu: bool, backends: Collection[str]) -> bool:
    if layer.when is When.GPU:
        return has_gpu
    return layer.when is When.ALWAYS or not set(layer.backends).isdisjoint(backends)


def _closure(
    layers: Mapping[str, Layer], wanted: set[str], enabled: Mapping[str, bool]
) -> set[str]:
    todo, found = list(wanted), set(wanted)
    while todo:
        for need in layers[todo.pop()].needs:
            if need not in found and enabled.get(need, True):
                found.add(need)
                todo.append(need)
    return found


def _before(layer: Layer) -> list[str]:
    return [*layer.needs, *layer.after]


def _ordered(layers: Mapping[str, Layer], wanted: Iterable[str]) -> list[str]:
    """Needs first, then by name: stable whatever order the files are read in."""
    done: list[str] = []
    left = set(wanted)
    while left:
        ready = sorted(name for name in left if not left.intersection(_before(layers[name])))
        if not ready:
            raise ChartError(f"these layers need each other: {', '.join(sorted(left))}")
        done += ready
        left -= set(ready)
    return done


def _as_text(tree: dict[str, Any], path: list[str]) -> None:
    *parents, last = path
    for key in parents:
        tree = tree.get(key, {})
    if isinstance(tree.get(last), dict):
        tree[last] = yaml.safe_dump(tree[last], sort_keys=True, default_flow_style=False)

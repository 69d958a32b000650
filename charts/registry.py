"""The entries read from their files, which of them a cluster gets, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from charts.model import ChartError, Layer, Site, When

__all__ = ["FOLDER", "LOCK", "choose", "fits", "load", "names", "ordered", "reference"]

FOLDER = Path(__file__).parent
LOCK = "lock.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def load(folder: Path = FOLDER) -> dict[str, Layer]:
    """Every layer by name. ChartError: unreadable data, unknown needs, a cycle."""
    layers = {layer.name: layer for layer in map(_read, _files(folder))}
    for layer in layers.values():
        for need in _before(layer):
            if need not in layers:
                raise ChartError(f"{layer.name}.needs: there is no layer {need!r}")
    ordered(layers, layers)
    return layers


def names() -> list[str]:
    """The layers that exist, for checking what a user names."""
    return sorted(path.stem for path in _files(FOLDER))


def choose(
    enabled: Mapping[str, bool], site: Site, layers: Mapping[str, Layer] | None = None
) -> list[Layer]:
    """What one cluster gets, each layer after what it needs.

    `enabled` holds the user's choices; the rest follows `when`. A layer that was switched on by
    name comes even where `when` would leave it out. What a chosen layer needs is chosen too,
    unless the user switched it off (then it is the user's own).
    """
    layers = load() if layers is None else layers
    for name in enabled:
        if name not in layers:
            raise ChartError(f"there is no layer {name!r}; there are {', '.join(sorted(layers))}")
    wanted = {name for name, layer in layers.items() if enabled.get(name, fits(layer, site))}
    return [layers[name] for name in ordered(layers, _closure(layers, wanted, enabled))]


def fits(layer: Layer, site: Site) -> bool:
    """Does the cluster get the layer unasked?"""
    if layer.clouds and site.cloud not in layer.clouds:
        return False
    reasons = {
        When.ALWAYS: True,
        When.GPU: not site.vendors.isdisjoint(layer.vendors),
        When.BACKEND: not site.backends.isdisjoint(layer.backends),
        When.FABRIC: not site.fabrics.isdisjoint(layer.fabrics),
        When.NAMED: False,
    }
    return reasons[layer.when]


def reference(layer: Layer) -> str:
    """What Helm is told: a chart of our own as the folder where it lies now."""
    return str(FOLDER / layer.chart) if layer.chart.startswith("./") else layer.chart


def ordered(layers: Mapping[str, Layer], wanted: Iterable[str]) -> list[str]:
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


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if path.name != LOCK)


def _read(path: Path) -> Layer:
    try:
        layer = Layer.model_validate(yaml.load(path.read_text(encoding="utf-8"), _LOADER))
    except ValueError as error:
        raise ChartError(f"{path.name}: {error}") from error
    if layer.name != path.stem:
        raise ChartError(f"{path.name}: name must be {path.stem!r}, not {layer.name!r}")
    return layer


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

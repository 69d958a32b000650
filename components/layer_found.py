"""What of a layer a cluster of the user's has already, and what is done about it. Pure.

Read before anything is made (`colony.lifecycle.existing_layers`) and kept in the stack config, so
that the program asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from pydantic import Field

from components.layer_choice import ChosenLayer
from jobs.model import Strict

__all__ = ["Deed", "Found", "FoundLayer", "FoundLayers", "Standing", "as_argument", "as_found"]


class Standing(str, Enum):
    """A layer's in a cluster, compared with ours."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"
    FOREIGN = "foreign"
    """Its CRDs are somebody's, and no Helm release of its chart is there."""


class Deed(str, Enum):
    """What is done about it."""

    KEEP = "keep"
    """Left alone, and used."""
    ADOPT = "adopt"
    """Taken over by our release of the same name: it is ours from then on, and goes with us."""


class FoundLayer(Strict):
    """A layer that was there before the colony."""

    standing: Standing
    deed: Deed
    release: str = ""
    """Empty where there is none."""
    namespace: str = ""
    version: str = ""


class FoundLayers(Strict):
    """Those of one cluster."""

    layers: dict[str, FoundLayer] = Field(default_factory=dict)


class Found(Strict):
    """Those of all clusters. Types of their own: an argument that is a map of objects gets no type
    for what is inside in Go's SDK."""

    clusters: dict[str, FoundLayers] = Field(default_factory=dict)

    def of(self, cluster: str) -> dict[str, FoundLayer]:
        return self.clusters[cluster].layers if cluster in self.clusters else {}


def as_argument(found: Mapping[str, dict[str, FoundLayer]]) -> Found:
    """As the arguments and the stack config have it."""
    clusters = {cluster: FoundLayers(layers=layers) for cluster, layers in found.items()}
    return Found(clusters=clusters)


def as_found(
    chosen: list[ChosenLayer], found: dict[str, FoundLayer]
) -> tuple[list[ChosenLayer], set[str]]:
    """(what is installed, the names of what is left alone)."""
    kept = {name for name, each in found.items() if each.deed is Deed.KEEP}
    ours = [
        _adopted(each, found[each.name]) if each.name in found else each
        for each in chosen
        if each.name not in kept
    ]
    return ours, kept & {each.name for each in chosen}


def _adopted(chosen: ChosenLayer, found: FoundLayer) -> ChosenLayer:
    """A failed upgrade must not take away what was there, so it is not atomic."""
    return replace(
        chosen,
        layer=chosen.layer.model_copy(update={"namespace": found.namespace}),
        choice=chosen.choice.model_copy(update={"atomic": False, "create_namespace": False}),
        release=found.release,
    )

"""Which layers a cluster gets, with which values, and whether its jobs can do with that.

Pure: no pulumi. The checks of what must not go together are in `layer_checks`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import charts
from components.layer_spec import LayerChoice
from components.placement import ClusterPlacement
from components.site import site_of
from components.spec import Cloud, ColonySpec
from jobs.errors import InputError, Problem
from jobs.spec import Backend, Job

__all__ = ["ChosenLayer", "check_layers", "chosen_layers", "early_layers", "resolve"]

PLACING = ("nodeSelector", "affinity")
"""Keys of values that may send pods to nodes with accelerators."""
OWN_TIMEOUT = 600
"""Seconds that Helm waits for a chart of the user's own that says nothing."""


@dataclass(frozen=True)
class ChosenLayer:
    """One release as it will be: pinned, with its final values."""

    layer: charts.Layer
    choice: LayerChoice
    values: dict[str, Any] = field(repr=False)
    before: list[dict[str, Any]] = field(default_factory=list)
    """Objects that must be in its namespace first."""
    after: list[dict[str, Any]] = field(default_factory=list)
    """Custom resources of its own."""
    release: str = ""
    """Its name, where it takes over another's; empty = the layer's."""

    @property
    def name(self) -> str:
        return self.layer.name


def check_layers(layers: Mapping[str, LayerChoice]) -> None:
    """InputError naming every layer that does not exist, with its nearest match."""
    known = charts.names()
    problems = [
        *(
            Problem(f"layers.{name}", f"there is no layer {name!r}", _near(name, known))
            for name, choice in layers.items()
            if name not in known and not choice.chart
        ),
        *(
            Problem(f"layers.{name}.chart", "is Colony's own layer", "give your chart another name")
            for name, choice in layers.items()
            if name in known and choice.chart
        ),
        *_strange_needs(layers, known),
    ]
    if problems:
        raise InputError(*problems)


def chosen_layers(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job], image: str | None = None
) -> list[ChosenLayer]:
    """In the order they go in. `image` is that of the GPU nodes, where it is known better.

    InputError: a layer that does not exist, or one switched off that a job needs on a cluster
    that nobody else equips.
    """
    check_layers(spec.layers)
    chosen = resolve(spec.layers, site_of(placement, jobs, image))
    if placement.cloud != Cloud.EXISTING.value:
        _check_needs({each.name for each in chosen}, jobs)
    return chosen


def resolve(choices: Mapping[str, LayerChoice], site: charts.Site) -> list[ChosenLayer]:
    """The ordered layers of any cluster, told by plain facts, with their merged values."""
    known = {**charts.load(), **_own_charts(choices)}
    enabled = {name: choice.enabled for name, choice in choices.items()}
    try:
        layers = charts.choose(enabled, site, known)
    except charts.ChartError as error:
        raise InputError(Problem("layers", str(error))) from None
    whole = site.model_copy(update={"layers": frozenset(layer.name for layer in layers)})
    return [_chosen(layer, choices.get(layer.name, LayerChoice()), whole) for layer in layers]


def early_layers(layers: Iterable[ChosenLayer]) -> set[str]:
    """What can be ready while nodes with accelerators are still made: by its data, unless it goes
    in after a layer that cannot, or the user's values choose its nodes. `layers` are in order."""
    found: set[str] = set()
    waiting: set[str] = set()
    for each in layers:
        layer = each.layer
        late = waiting.intersection([*layer.needs, *layer.after])
        ready = layer.early and not late and not _places(each.choice.values)
        (found if ready else waiting).add(each.name)
    return found


def _places(values: Any) -> bool:
    if isinstance(values, list):
        return any(map(_places, values))
    if not isinstance(values, dict):
        return False
    return any(key in PLACING or _places(value) for key, value in values.items())


def _chosen(layer: charts.Layer, choice: LayerChoice, site: charts.Site) -> ChosenLayer:
    extras = [extra for extra in layer.extras if extra.holds(site)]
    return ChosenLayer(
        layer=layer.model_copy(
            update={
                "version": choice.version or layer.version,
                "timeout": choice.timeout or layer.timeout,
            }
        ),
        choice=choice,
        values=charts.values(layer, site, choice.values),
        before=[extra.manifest for extra in extras if extra.phase is charts.Phase.BEFORE],
        after=[extra.manifest for extra in extras if extra.phase is charts.Phase.AFTER],
    )


def _own_charts(choices: Mapping[str, LayerChoice]) -> dict[str, charts.Layer]:
    """The user's charts, in the registry's own form."""
    return {
        name: charts.Layer(
            name=name,
            title=name,
            chart=choice.chart,
            repository=choice.repository,
            version=choice.version or "",
            namespace=choice.namespace or name,
            when=charts.When.NAMED,
            needs=choice.needs,
            timeout=choice.timeout or OWN_TIMEOUT,
            sources=["the spec"],
        )
        for name, choice in choices.items()
        if choice.chart
    }


def _strange_needs(layers: Mapping[str, LayerChoice], known: list[str]) -> list[Problem]:
    every = sorted({*known, *layers})
    return [
        Problem(f"layers.{name}.needs[{index}]", f"no layer {need!r}", _near(need, every))
        for name, choice in layers.items()
        for index, need in enumerate(choice.needs)
        if need not in every
    ]


def _check_needs(layers: set[str], jobs: Iterable[Job]) -> None:
    problems = [
        Problem(f"layers.{layer}", f"is off, but job {job.name!r} needs it: {why}")
        for job in jobs
        for layer, why in _needs(job).items()
        if layer not in layers
    ]
    if problems:
        raise InputError(*problems)


def _needs(job: Job) -> dict[str, str]:
    """Layer -> why. A layer serves the back ends in its data, and needs what that says."""
    why = f"its back end is {job.backend.value}"
    needs: dict[str, str] = {}
    for layer in charts.load().values():
        if job.backend.value in layer.backends:
            needs |= dict.fromkeys([layer.name, *layer.needs], why)
    # Volcano has queues of its own.
    if job.queue and job.backend is not Backend.VOLCANO:
        needs["kueue"] = f"its queue is {job.queue!r}"
    return needs


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"

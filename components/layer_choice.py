"""Which layers a cluster gets, and whether its jobs can do with that. Pure: no pulumi."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import charts
from components.placement import ClusterPlacement
from components.spec import Cloud, ColonySpec, LayerChoice
from jobs.errors import InputError, Problem
from jobs.spec import Backend, Job

__all__ = ["check_layers", "chosen_layers"]


def check_layers(layers: Iterable[str]) -> None:
    """InputError naming every layer that does not exist, with its nearest match."""
    known = charts.names()
    problems = [
        Problem(f"layers.{name}", f"there is no layer {name!r}", _near(name, known))
        for name in layers
        if name not in known
    ]
    if problems:
        raise InputError(*problems)


def chosen_layers(
    spec: ColonySpec, placement: ClusterPlacement, jobs: list[Job]
) -> list[tuple[charts.Layer, LayerChoice]]:
    """In the order they go in, with the user's overrides of each.

    InputError: a layer that does not exist, or one switched off that a job needs on a cluster
    that nobody else equips.
    """
    check_layers(spec.layers)
    has_gpu = any(pool.accelerator_count for pool in placement.pools)
    enabled = {name: choice.enabled for name, choice in spec.layers.items()}
    layers = charts.choose(enabled, has_gpu, backends={job.backend.value for job in jobs})
    if placement.cloud != Cloud.EXISTING.value:
        _check_needs({layer.name for layer in layers}, jobs)
    return [(_pinned(layer, spec), spec.layers.get(layer.name, LayerChoice())) for layer in layers]


def _pinned(layer: charts.Layer, spec: ColonySpec) -> charts.Layer:
    choice = spec.layers.get(layer.name)
    if choice is None or choice.version is None:
        return layer
    return layer.model_copy(update={"version": choice.version})


def _check_needs(layers: set[str], jobs: list[Job]) -> None:
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

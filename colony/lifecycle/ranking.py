"""Seeded worlds in which the same job is bought by two rankings, and lived. Pure.

What a ranking knows is what the market knows: prices, minutes, how often spot nodes are taken.
Only when they are taken does nobody know beforehand.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

from colony.lifecycle.budget import HOUR
from colony.lifecycle.model import Course, Place, live, takings
from colony.market.costs import Phases, Spot
from jobs.recovery import Recovery, Strategy

__all__ = ["PARAMETERS", "Parameters", "Realised", "choices", "differing", "expected_usd", "world"]


@dataclass(frozen=True)
class Parameters:
    """What is swept. Means; each offer of a world has its own."""

    name: str
    takings_per_node_hour: float = 0.05
    work_hours: float = 8.0
    minutes: float = 20.0
    """Of set-up."""
    nodes: int = 8
    checkpoint_hours: float = 1.0


PARAMETERS = (
    Parameters("as it may be"),
    Parameters("rare takings", takings_per_node_hour=0.01),
    Parameters("frequent takings", takings_per_node_hour=0.15),
    Parameters("short jobs", work_hours=1.0),
    Parameters("long jobs", work_hours=40.0, takings_per_node_hour=0.02),
    Parameters("quick set-up", minutes=5.0),
    Parameters("slow set-up", minutes=60.0),
    Parameters("few nodes", nodes=2),
    Parameters("many nodes", nodes=32, takings_per_node_hour=0.01),
    Parameters("rare checkpoints", checkpoint_hours=3.0),
)


@dataclass(frozen=True)
class Realised:
    """What one world cost by each ranking: USD, the mean of its lives."""

    seed: int
    parameters: str
    by_expected: float
    by_sticker: float

    @property
    def lost(self) -> bool:
        return self.by_expected > self.by_sticker


def world(seed: int, parameters: Parameters) -> tuple[list[Place], Course]:
    """Offers on demand and spot, with prices, minutes and takings of their own."""
    chance = random.Random(f"{seed} {parameters}")
    places = [_offer(chance, parameters, index) for index in range(8)]
    work = parameters.work_hours * HOUR * chance.uniform(0.5, 1.5)
    course = Course(
        work=work,
        checkpoint=parameters.checkpoint_hours * HOUR,
        max_run_time=200 * work,
        lease=400 * work,
        recovery=Recovery(strategy=Strategy.FAILOVER),
    )
    return places, course


def differing(parameters: Parameters, count: int, lives: int) -> list[Realised]:
    """The first `count` worlds, by seed, in which the rankings choose different offers; both
    choices live the same so many seeded lives."""
    found: list[Realised] = []
    for seed in itertools.count():
        if len(found) == count:
            return found
        places, course = world(seed, parameters)
        expected, sticker = choices(places, course)
        if expected == sticker:
            continue
        means = [_mean(place, course, range(lives)) for place in (expected, sticker)]
        found.append(Realised(seed, parameters.name, *means))
    raise AssertionError("seeds do not end")


def choices(places: Sequence[Place], course: Course) -> tuple[Place, Place]:
    """(by expected cost, by sticker price); ties by name."""
    return (
        min(places, key=lambda place: (expected_usd(place, course), place.name)),
        min(places, key=lambda place: (place.nodes_per_hour, place.name)),
    )


def expected_usd(place: Place, course: Course) -> float:
    """By the market's own formula (`colony/market/costs.py`)."""
    parts = ("cluster", "nodes", "pulling", "draining")
    minutes = {part: getattr(place, part) / 60 for part in parts}
    spot = Spot(place.takings_per_node_hour, course.checkpoint / HOUR)
    phases = Phases.taking(minutes, course.work / HOUR, place.spot_nodes, spot)
    fixed = phases.fixed(place.base_per_hour, place.system_per_hour)
    return fixed + phases.whole * place.nodes_per_hour


def _mean(place: Place, course: Course, seeds: Sequence[int]) -> float:
    return sum(live([place], course, takings(seed)).spent for seed in seeds) / len(seeds)


def _offer(chance: random.Random, parameters: Parameters, index: int) -> Place:
    spot = index % 2 == 1
    node = chance.uniform(8.0, 14.0) * (chance.uniform(0.3, 0.9) if spot else 1.0)
    seconds = parameters.minutes * 60
    return Place(
        f"{'spot' if spot else 'on-demand'}-{index}",
        nodes_per_hour=node * parameters.nodes,
        base_per_hour=0.1,
        system_per_hour=0.2,
        cluster=chance.uniform(0.2, 0.8) * seconds,
        nodes=chance.uniform(0.1, 0.7) * seconds,
        pulling=chance.uniform(0.1, 0.5) * seconds,
        draining=chance.uniform(0.1, 0.5) * seconds,
        spot_nodes=parameters.nodes if spot else 0,
        takings_per_node_hour=parameters.takings_per_node_hour * 10 ** chance.uniform(-0.5, 0.5),
    )
